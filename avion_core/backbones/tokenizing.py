"""What turns texts into token ids: open_clip's byte pairs, or the tokenizer file that lies beside the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import tokenizers
import torch
from open_clip.tokenizer import SimpleTokenizer, get_clean_fn
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from avion_core.errors import CheckpointError
from avion_core.reading import Subject, fitted, read_json, regular_file

FILE, SETTINGS = "tokenizer.json", "tokenizer_config.json"
_SUBJECT = Subject("the tokenizer beside the weights", CheckpointError, "Get it again with the weights.")
_KNOWN_OPTIONS = {"clean"}


class TextReader(Protocol):
    """How much of a text a model reads."""

    context_length: int
    """L, what is read of a text, its marks included."""

    @property
    def room(self) -> int:
        """How many tokens of words are read."""
        ...

    def words(self, text: str) -> list[int]:
        """Ids of all words of a text, without marks, however long."""
        ...


class Tokenizer(TextReader, Protocol):
    """Texts to token ids of one length."""

    starts: int
    """How many marks stand before the words."""

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """N texts -> int64 (N, L), L the context length; what runs past it is cut, its end mark kept."""
        ...


@dataclass
class BytePairs:
    """CLIP's own: start, words, end-of-text (the highest id), zeros."""

    context_length: int
    clean: str = "lower"
    starts: int = 1

    @property
    def _pairs(self) -> SimpleTokenizer:
        return _byte_pairs(self.clean)

    @property
    def room(self) -> int:
        return self.context_length - 2

    def words(self, text: str) -> list[int]:
        return self._pairs.encode(text)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        return self._pairs(list(texts), self.context_length)

    @property
    def eot_token_id(self) -> int:
        return self._pairs.eot_token_id


@lru_cache(maxsize=3)
def _byte_pairs(clean: str) -> SimpleTokenizer:
    """open_clip's bundled vocabulary, read once per process: that takes longer than opening small towers."""
    return SimpleTokenizer(clean=clean)


_Mark = str | dict[str, Any] | None


class _Settings(BaseModel):
    """The part of a `tokenizer_config.json` that decides about ids."""

    model_config = ConfigDict(extra="ignore")

    pad_token: _Mark = None
    eos_token: _Mark = None
    bos_token: _Mark = None
    add_bos_token: bool | None = None
    add_eos_token: bool | None = None


@dataclass(frozen=True)
class _Marks:
    before: list[int]
    after: list[int]
    padding: int


class FileTokenizer:
    """The tokenizer of a `tokenizer.json` (Hugging Face), as open_clip uses it: clean, words, marks, padding.

    Args:
        path: of the `tokenizer.json`.
        clean: how open_clip cleans texts for this model ("whitespace", "lower" or "canonicalize").

    Raises:
        CheckpointError: a file that is missing, or is not what it should be.
    """

    def __init__(self, path: Path, context_length: int, clean: str = "whitespace") -> None:
        self.context_length, self._clean = context_length, get_clean_fn(clean)
        regular_file(path, _SUBJECT)
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises its base class alone
            raise _SUBJECT.refused(f"cannot be read ({error})", value=str(path)) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._marks = self._find_marks(path.with_name(f"{path.name.removesuffix(FILE)}{SETTINGS}"))
        self.starts = len(self._marks.before)

    @property
    def room(self) -> int:
        return self.context_length - len(self._marks.before) - len(self._marks.after)

    def words(self, text: str) -> list[int]:
        return self._tokenizer.encode(self._clean(text), add_special_tokens=False).ids

    def __call__(self, texts: Sequence[str]) -> Tensor:
        marks = self._marks
        rows = torch.full((len(texts), self.context_length), marks.padding, dtype=torch.long)
        for row, text in zip(rows, texts, strict=True):
            ids = [*marks.before, *self.words(text)[: self.room], *marks.after]
            row[: len(ids)] = torch.tensor(ids, dtype=torch.long)
        return rows

    def _find_marks(self, settings: Path) -> _Marks:
        """What stands around the words: by `tokenizer_config.json` where it says so, else as the file does it."""
        said = _Settings()
        if settings.exists():
            said = fitted(_Settings, read_json(settings, _SUBJECT), _SUBJECT, value=str(settings))
        around = self._tokenizer.encode("", add_special_tokens=True).ids
        probe = self._tokenizer.encode("a", add_special_tokens=True).ids
        words = self._tokenizer.encode("a", add_special_tokens=False).ids
        before = 0 if not words else next((i for i in range(len(probe)) if probe[i : i + len(words)] == words), 0)
        first, last = around[:before], around[before:]
        if said.add_bos_token is not None:
            first = [self._id(said.bos_token)] if said.add_bos_token else []
        if said.add_eos_token is not None:
            last = [self._id(said.eos_token)] if said.add_eos_token else []
        return _Marks(first, last, self._id(said.pad_token) if said.pad_token else 0)

    def _id(self, mark: _Mark) -> int:
        content = mark.get("content") if isinstance(mark, dict) else mark
        found = self._tokenizer.token_to_id(str(content))
        if found is None:
            raise _SUBJECT.refused("names a mark that its vocabulary does not have", value=str(content))
        return found


def tokenizer_of(text_cfg: Mapping[str, Any], beside: Path | None, name: str) -> Tokenizer:
    """The tokenizer that a model's description asks for.

    Args:
        text_cfg: open_clip's description of the text tower.
        beside: the `tokenizer.json` that was installed with the weights; None where there is none.

    Raises:
        CheckpointError: the file lacks, or the description asks for what is not known here.
    """
    length, options = int(text_cfg.get("context_length", 77)), dict(text_cfg.get("tokenizer_kwargs") or {})
    if strange := sorted(options.keys() - _KNOWN_OPTIONS):
        hint = "Use a model with CLIP's tokenizer, or SigLIP's."
        raise CheckpointError(f"its tokenizer has an option that is not known ({strange[0]})", hint, value=name)
    if not text_cfg.get("hf_tokenizer_name"):
        return BytePairs(length, **options)
    if beside is None:
        hint = f"Put {FILE} and {SETTINGS} of {text_cfg['hf_tokenizer_name']} beside the weights file."
        raise CheckpointError("this model's own tokenizer does not lie beside its weights", hint, value=name)
    return _from_file(beside, length, **options)


@lru_cache(maxsize=2)
def _from_file(path: Path, context_length: int, clean: str = "whitespace") -> FileTokenizer:
    """Kept, since a vocabulary of 256,000 words takes seconds to read."""
    return FileTokenizer(path, context_length, clean)

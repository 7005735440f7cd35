"""How much of a text a model reads, asked of its tokenizer alone: no weights are opened.

A tower reads the beginning of a text that runs past its context (`towers.Towers.too_long`); here that is known before
anything is embedded.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from avion_core.backbones.catalog import CatalogEntry
from avion_core.errors import AvionError

if TYPE_CHECKING:
    from avion_core.backbones.load import WeightStore
    from avion_core.backbones.tokenizing import TextReader

DEMO_TEACHER_TOKENS = 96
_WORD_PIECES = "demo-teacher-tokenizer.json"
_MARKS = 2  # start and end of a text


@dataclass(frozen=True)
class CutOff:
    """Texts that a model does not read to their end."""

    places: list[int]
    tokens: int
    """What it reads, its marks included."""

    @property
    def sentence(self) -> str:
        """What to say of them; empty where there are none."""
        if not self.places:
            return ""
        many = len(self.places) > 1
        said = f"{len(self.places):,} {'are' if many else 'is'} longer than the teacher reads ({self.tokens} tokens)"
        return f"{said}: {'their ends count' if many else 'its end counts'} for nothing"


def cut_off(entry: CatalogEntry, path: Path | None, texts: Sequence[str]) -> CutOff:
    """Which of some texts a model of the catalog does not read to their end.

    Args:
        path: its installed weights file; None where it is not installed (nothing is known then of models whose
            tokenizer lies beside their weights).

    Raises:
        CheckpointError: a file beside the weights is missing or damaged.
    """
    reader = text_reader(entry, path)
    if reader is None:
        return CutOff([], 0)
    # No token is shorter than a byte but for a mark before the first word, so most short texts need no tokenizer.
    suspect = [place for place, text in enumerate(texts) if len(text.encode("utf-8", "replace")) >= reader.room]
    places = [place for place in suspect if len(reader.words(texts[place])) > reader.room]
    return CutOff(places, reader.context_length)


def unread_ends(weights: WeightStore, name: str, texts: Sequence[str]) -> CutOff:
    """As `cut_off`; nothing is said where the model's files cannot be read, or where it is none of the catalog's:
    whoever needs it says so."""
    try:
        members = weights.catalog.members(name)
        cut = [cut_off(entry, weights.path(entry.name), texts) for entry in members]
    except AvionError:
        return CutOff([], 0)
    places = sorted({place for one in cut for place in one.places})
    return CutOff(places, min((one.tokens for one in cut if one.tokens), default=0))


def clip_readers(weights: WeightStore, names: Sequence[str]) -> list[TextReader]:
    """The different tokenizers of some models, but for the demo teacher's; those that cannot be read are left out."""
    found: list[TextReader] = []
    for name in names:
        with suppress(AvionError):
            for entry in weights.catalog.members(name):
                reader = text_reader(entry, weights.path(entry.name)) if entry.kind == "open_clip" else None
                if reader is not None and reader not in found:
                    found.append(reader)
    return found


def text_reader(entry: CatalogEntry, path: Path | None) -> TextReader | None:
    """A model's tokenizer, without its weights; None where nothing is known of it.

    Args:
        path: its installed weights file; None where it is not installed.

    Raises:
        CheckpointError: a file beside the weights is missing or damaged.
    """
    if entry.kind == "given":  # no model is behind them: nobody knows how much of a text was read
        return None
    if entry.kind == "demo_teacher":
        words = path.with_name(_WORD_PIECES) if path else None
        return _word_pieces(words) if words and words.is_file() else None
    if path is None and (entry.bundled or entry.tokenizer_repo):
        return None
    from avion_core.backbones.architectures import architecture, beside
    from avion_core.backbones.tokenizing import FILE, tokenizer_of

    return tokenizer_of(
        architecture(entry, path or Path())["text_cfg"],
        beside(path, FILE) if path and entry.tokenizer_repo else None,
        entry.name,
    )


class _WordPieces:
    """The demo teacher's tokenizer."""

    context_length = DEMO_TEACHER_TOKENS
    room = DEMO_TEACHER_TOKENS - _MARKS

    def __init__(self, path: Path) -> None:
        import tokenizers

        self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def words(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids


@lru_cache(maxsize=2)
def _word_pieces(path: Path) -> _WordPieces:
    return _WordPieces(path)

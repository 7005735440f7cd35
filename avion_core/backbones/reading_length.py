"""How much of a text a model reads, asked of its tokenizer alone: no weights are opened.

A tower reads the beginning of a text that runs past its context (`towers.Towers.too_long`); here that is known before
anything is embedded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from avion_core.backbones.catalog import CatalogEntry, find_entry
from avion_core.errors import AvionError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from avion_core.backbones.load import WeightStore

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


def cut_off(name: str, path: Path | None, texts: Sequence[str]) -> CutOff:
    """Which of some texts a model of the catalog does not read to their end.

    Args:
        path: its installed weights file; None where it is not installed (nothing is known then of the demo's models,
            whose tokenizer lies beside their weights).

    Raises:
        NotFoundError: no such name. CheckpointError: a file beside the weights is missing or damaged.
    """
    entry = find_entry(name)
    tokens = _context(entry, path)
    if tokens is None:
        return CutOff([], 0)
    # No token is shorter than a byte, so most short texts need no tokenizer.
    suspect = [place for place, text in enumerate(texts) if len(text.encode("utf-8", "replace")) > tokens - _MARKS]
    if not suspect:
        return CutOff([], tokens)
    if entry.kind == "demo_teacher":
        assert path is not None
        codes = _word_pieces(path).encode_batch([texts[place] for place in suspect])
        return CutOff([place for place, code in zip(suspect, codes, strict=True) if len(code.ids) > tokens], tokens)
    from avion_core.backbones.towers import clip_tokenizer

    encode = clip_tokenizer(tokens).encode
    return CutOff([place for place in suspect if len(encode(texts[place])) > tokens - _MARKS], tokens)


def unread_ends(weights: WeightStore, name: str, texts: Sequence[str]) -> CutOff:
    """As `cut_off`; nothing is said where the model's files cannot be read, or where it is none of the catalog's:
    whoever needs it says so."""
    try:
        return cut_off(name, weights.path(name), texts)
    except AvionError:
        return CutOff([], 0)


def _context(entry: CatalogEntry, path: Path | None) -> int | None:
    if entry.kind == "given":  # no model is behind them: nobody knows how much of a text was read
        return None
    if entry.kind == "demo_teacher":
        return DEMO_TEACHER_TOKENS if path and path.with_name(_WORD_PIECES).is_file() else None
    if entry.hub_repo is None and path is None:
        return None
    from avion_core.backbones.load import architecture

    return int(architecture(entry, path or Path())["text_cfg"].get("context_length", 77))


@lru_cache(maxsize=2)
def _word_pieces(path: Path) -> Tokenizer:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(path.with_name(_WORD_PIECES)))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer

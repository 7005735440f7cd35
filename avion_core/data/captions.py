"""Caption files in the Karpathy form, as RSITMD, RSICD and UCM captions use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.data.problems import Problem
from avion_core.errors import DataError
from avion_core.reading import Subject, read_json, tokenizer_mark

_FILE = Subject("the caption file", hint="Correct it, or export it again as JSON in UTF-8.")
_SPLITS = {"train": "train", "restval": "train", "val": "validation", "validation": "validation", "test": "test"}

CAPTION_COLUMNS = ("image_id", "split", "text")
"""A project's captions: a row for each, with the content hash of its image and the part that the image is in."""


@dataclass(frozen=True)
class Captions:
    """A caption file: one row per image with columns path, split, captions (a tuple of texts), in file order."""

    table: pd.DataFrame
    problems: list[Problem]


def read_captions(path: Path) -> Captions:
    """Read {"images": [{"filename", "split", "sentences": [{"raw"}, ...]}, ...]}.

    An image's path is its `path` where the file gives one, else its `filename`. Empty captions, those that hold a sign
    of the models' own (`<end_of_text>`), images without any caption, and a second entry of the same image are left out
    and reported.

    Raises:
        DataError: a file that cannot be read, or an entry without file name, known split or sentences.
    """
    return captions_in(read_json(Path(path), _FILE), path)


def captions_in(raw: Any, path: Path) -> Captions:
    """The captions of a caption file's JSON (see `read_captions`)."""
    images = raw.get("images") if isinstance(raw, dict) else None
    if not isinstance(images, list) or not images:
        raise DataError(
            "the caption file lists no images",
            'It should be {"images": [{"filename": ..., "split": ..., "sentences": [{"raw": ...}]}]}.',
            value=str(path),
        )
    rows: dict[str, tuple[str, str, tuple[str, ...]]] = {}
    problems = []
    for number, entry in enumerate(images):
        name, split, captions = _entry(entry, number)
        marked = [text for text in captions if tokenizer_mark(text)]
        texts = tuple(text for text in captions if text and text not in marked)
        if marked:
            said = f"{len(marked)} of its captions hold a sign of the models' own ({tokenizer_mark(marked[0])})."
            problems.append(Problem("marked_caption", name, f"{said} They were left out."))
        if empty := len(captions) - len(texts) - len(marked):
            problems.append(Problem("empty_caption", name, f"{empty} of its {len(captions)} captions are empty."))
        if not texts:
            problems.append(Problem("no_caption", name, "It has no caption and was left out."))
        elif name in rows:
            problems.append(Problem("duplicate", name, "It is listed more than once; the first entry was kept."))
        else:
            rows[name] = (name, split, texts)
    return Captions(pd.DataFrame(list(rows.values()), columns=["path", "split", "captions"]), problems)


def captions_if_any(path: Path) -> Captions | None:
    """As `read_captions`; None for a file that is no caption file, but another form of JSON or a table."""
    if path.suffix.lower() != ".json":
        return None
    raw = read_json(path, _FILE)
    return captions_in(raw, path) if isinstance(raw, dict) and "images" in raw else None


def no_captions() -> pd.DataFrame:
    """The captions of a project that has none."""
    return pd.DataFrame(columns=list(CAPTION_COLUMNS), dtype=str)


def _entry(entry: Any, number: int) -> tuple[str, str, list[str]]:
    where = f"image {number} of the caption file"
    if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str) or not entry["filename"].strip():
        raise DataError(f"{where} has no file name", 'Give each image a "filename".', value=entry)
    split = entry.get("split")
    if not isinstance(split, str) or split not in _SPLITS:
        raise DataError(f"{where} has an unknown split", "Use train, val or test.", value=split)
    sentences = entry.get("sentences")
    try:
        captions = [" ".join(sentence["raw"].split()) for sentence in sentences]  # type: ignore[union-attr]
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{where} has no readable sentences", 'Give each image "sentences": [{"raw": "text"}].', value=sentences
        ) from error
    listed = entry.get("path") or entry["filename"]
    if not isinstance(listed, str):
        raise DataError(f"{where} has a path that is not text", 'Give each image a "filename".', value=listed)
    return listed, _SPLITS[split], captions

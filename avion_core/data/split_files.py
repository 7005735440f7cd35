"""Splits as other projects keep them: CoOp's JSON, read and written, and the metadata of a Hugging Face image folder.

CoOp (Zhou et al., arXiv 2109.01134) and what follows it share data sets as {"train": [[path, label number, class
name], ...], "val": [...], "test": [...]}. `datasets` writes an image folder with a `metadata.csv`, `.jsonl` or
`.parquet` whose `file_name` is relative to the folder that it lies in; a folder for each split has one of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.data.split_names import split_of
from avion_core.data.splits import VALIDATION_IMAGES, Splits
from avion_core.data.tables import read_table, refuse_twins
from avion_core.errors import DataError
from avion_core.reading import Subject, parse_json, read_parquet, read_text

_SPLIT = Subject("the split file", hint="Correct it, or export it again.")
_METADATA = Subject("the metadata of the image folder", hint="Export the folder again.")
_PARTS = {"train": "train", "val": "validation", "test": "test"}
COLUMNS = ("path", "label", "split")


def is_coop(raw: object) -> bool:
    """Whether a JSON file has CoOp's parts."""
    return isinstance(raw, dict) and bool(raw) and raw.keys() <= _PARTS.keys()


def read_coop(raw: Mapping[str, Any], file: Path) -> pd.DataFrame:
    """Columns COLUMNS, a row for each image of CoOp's split; the class name is the label.

    Raises:
        DataError: an entry that is not [path, number, name], or a number that stands for two names.
    """
    rows: list[tuple[str, str, str]] = []
    names: dict[int, str] = {}
    for part, entries in raw.items():
        for place, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            if not _is_entry(entry):
                hint = 'Each entry is ["path", number of the class, "class name"].'
                raise DataError(f"entry {place} of {part} in the split file is none", hint, value=entry)
            path, number, name = entry
            if names.setdefault(number, name) != name:
                said = f"{name}, {names[number]}"
                raise _SPLIT.refused(f"gives the number {number} to two classes ({said})", value=str(file))
            rows.append((path, name, _PARTS[part]))
    if not rows:
        raise _SPLIT.refused("lists no images", value=str(file))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_coop(parts: Mapping[str, Sequence[tuple[str, str]]]) -> bytes:
    """CoOp's JSON; classes are numbered in the order of their names.

    Args:
        parts: "train", "validation", "test" -> (path, class name) of each image.
    """
    numbers = {name: place for place, name in enumerate(sorted({name for of in parts.values() for _, name in of}))}
    written = {
        theirs: [[path, numbers[name], name] for path, name in parts.get(ours, ())] for theirs, ours in _PARTS.items()
    }
    return json.dumps(written, ensure_ascii=False, indent=1).encode()


def coop_of(
    splits: Splits, manifest: pd.DataFrame, seed: int, shots: int, validation: int = VALIDATION_IMAGES
) -> bytes:
    """CoOp's JSON of the K-shot split of a seed; images without a label are left out.

    Args:
        manifest: columns image_id, path and label.
        validation: validation images are those of a run of so many shots.

    Raises:
        ConfigError: a seed or a number of shots that was not drawn.
    """
    path_of = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    label_of = dict(zip(manifest["image_id"], manifest["label"], strict=True))
    parts = {
        "train": [image for images in splits.shots(seed, shots).values() for image in images],
        "validation": [image for images in splits.validation_images(seed, validation).values() for image in images],
        "test": sorted(splits.test),
    }
    return write_coop(
        {part: [(path_of[i], label_of[i]) for i in images if label_of[i]] for part, images in parts.items()}
    )


def by_file_name(columns: Iterable[str]) -> bool:
    """Whether a table names its images as the metadata of an image folder does."""
    named = {name.strip().lower() for name in columns}
    return "file_name" in named and "path" not in named


def read_metadata(file: Path, root: Path, more: Sequence[str] = ()) -> pd.DataFrame:
    """What an image folder's metadata says: of all its files of this name in `root` and in its folders, together.

    Columns COLUMNS and those of `more` that a file has; "" where one says nothing.

    Raises:
        DataError: a file that cannot be read, or without `file_name`, or no file with `label`.
    """
    files = [path for path in (root / file.name, *sorted(root.glob(f"*/{file.name}"))) if path.is_file()] or [file]
    tables = [_of_folder(path, root) for path in files]
    if not any("label" in table for table in tables):
        columns = ", ".join(tables[0].columns)
        hint = "Name the column with the class `label`; captions alone make no classes."
        raise _METADATA.refused("has no column label", hint, value=columns)
    table = pd.concat(tables, ignore_index=True)
    table = table.reindex(columns=[*COLUMNS, *(name for name in more if name in table)]).astype(object)
    return table.where(table.notna(), "")


def _of_folder(file: Path, root: Path) -> pd.DataFrame:
    if file.suffix == ".parquet":
        table = read_parquet(file, _METADATA)
    elif file.suffix == ".jsonl":
        lines = enumerate(read_text(file, _METADATA).splitlines(), start=1)
        rows = [parse_json(line, _METADATA, value=f"{file}, line {number}") for number, line in lines if line.strip()]
        if wrong := [row for row in rows if not isinstance(row, dict)]:
            raise _METADATA.refused("has a line that is no object", value=wrong[0])
        table = pd.DataFrame(rows)
    else:
        header, rows, _ = read_table(file, "metadata")
        table = pd.DataFrame([row[: len(header)] for row in rows], columns=header)
    refuse_twins(map(str, table.columns), "metadata file")
    table.columns = [str(name).strip().lower() for name in table.columns]
    if "file_name" not in table:
        raise _METADATA.refused("has no column file_name", value=", ".join(table.columns))
    folder = file.parent.relative_to(root).as_posix() if file.is_relative_to(root) else "."
    given = table["split"].astype(str) if "split" in table else split_of(folder)
    before = "" if folder == "." else f"{folder}/"
    return table.assign(path=before + table["file_name"].astype(str), split=given)


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 3:
        return False
    path, number, name = entry
    return isinstance(path, str) and type(number) is int and isinstance(name, str) and bool(name.strip())

"""Label files: CSV, Excel or Parquet with the columns path, label and, if wanted, group and split.

A caption file (JSON) serves too: it names pictures and their split, and gives no labels. So do CoOp's split file and
the metadata of a Hugging Face image folder (`data.split_files`).
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.data.captions import captions_in
from avion_core.data.class_names import is_readable
from avion_core.data.problems import Problem
from avion_core.data.split_files import by_file_name, is_coop, read_coop, read_metadata
from avion_core.data.split_names import SPLITS, split_of
from avion_core.data.tables import is_workbook, read_table, refuse_twins, whole_numbers
from avion_core.errors import DataError
from avion_core.reading import Subject, read_json, read_parquet, regular_file

_FILE = Subject("the label file", hint="Export it again as Parquet or CSV UTF-8.")
SAFEST_SPLIT = ("test", "validation", "train", "")  # of two marks on one picture, none may leak into training


@dataclass(frozen=True)
class ImageLabel:
    """What is known about one image; "" is unknown."""

    label: str = ""
    group: str = ""
    split: str = ""


def read_labels(
    file: Path, root: Path, pictures: set[str], *, same_as: Callable[[str], str | None] = lambda _: None
) -> tuple[dict[str, ImageLabel], list[Problem]]:
    """Labels by picture path relative to `root`; rows that fit no picture are reported.

    Args:
        same_as: asked for a listed path that is none of `pictures`; the picture that it is a copy of, or None.

    Raises:
        DataError: the file cannot be read, lacks a column, has one twice, or names a split that there is not.
    """
    table, problems = read_columns(file, root)
    if lacking := [name for name in ("path", "label") if name not in table]:
        raise DataError(
            f"the label file has no column {' and no column '.join(lacking)}",
            "It needs path and label, separated by commas in a CSV; group and split are optional.",
            value=", ".join(table),
        )
    rows = len(table["path"])
    columns = {name: table.get(name, [""] * rows) for name in ImageLabel.__annotations__}
    for name in ("label", "group"):
        texts = [_text(value) if _is_name(value) else value for value in columns[name]]
        if all(isinstance(text, str) for text in texts):
            columns[name] = whole_numbers(texts)
    said = {_text(split): split_of(_text(split)) for split in columns["split"]}
    if unknown := sorted(text for text, split in said.items() if text and not split):
        raise DataError(
            "the label file names a split that does not exist",
            f"Use {', '.join(SPLITS)} or leave it empty.",
            value=unknown[0],
        )
    found: dict[str, set[ImageLabel]] = defaultdict(set)
    by_name = {unicodedata.normalize("NFC", path): path for path in pictures}  # disks and tables write é in two ways
    for raw_path, label, group, split in zip(table["path"], *columns.values(), strict=True):
        listed = relative(_text(raw_path), root)
        path = by_name.get(unicodedata.normalize("NFC", listed)) or same_as(listed)
        if path is None:
            problems.append(Problem("missing", listed, "The label file lists it, but the folder has no such image."))
        elif not _is_name(label):
            problems.append(
                Problem(
                    "unreadable_label", path, f"Its label {label!r} is not a usable class name; it was left unlabelled."
                )
            )
            found[path].add(ImageLabel())
        else:
            found[path].add(ImageLabel(_text(label), _text(group), said[_text(split)]))
    if not found:
        raise DataError(
            "no row of the label file matches an image in the folder",
            f"Paths are relative to the image folder, as in {min(pictures)}.",
            value=f"{file}, which begins with {_text(table['path'][0]) if rows else 'no rows'}",
        )
    known = {}
    for path, labels in found.items():
        known[path], problem = _agreed(path, labels)
        problems += [problem] if problem else []
    return known, problems


def _agreed(path: str, labels: set[ImageLabel]) -> tuple[ImageLabel, Problem | None]:
    """What the rows of one picture say together: what they agree on holds."""
    names = {label.label for label in labels}
    groups, splits = {label.group for label in labels} - {""}, {label.split for label in labels} - {""}
    name = next(iter(names)) if len(names) == 1 else ""
    split = min(splits, key=SAFEST_SPLIT.index, default="")
    agreed = ImageLabel(name, min(groups, default=""), split)
    if len(names) > 1:
        shown = ", ".join(sorted(word or "no label" for word in names))
        said = f"The label file gives it different labels ({shown}); it was left unlabelled."
        return agreed, Problem("conflict", path, said)
    if len(groups) > 1 or len(splits) > 1:
        shown = ", ".join(sorted(groups if len(groups) > 1 else splits))
        taken = agreed.group if len(groups) > 1 else agreed.split
        return agreed, Problem("conflict", path, f"The label file lists it in {shown}; it was put into {taken}.")
    return agreed, None


def read_columns(
    file: Path, root: Path | None = None, more: Sequence[str] = ()
) -> tuple[dict[str, list[Any]], list[Problem]]:
    """A label file's columns by name in lower case, and what was odd about it.

    Args:
        root: the folder of images, for tables that name files by `file_name`, relative to the table's own folder.
        more: columns that are wanted of such a table besides path, label and split, where it has them.

    Raises:
        DataError: it cannot be read, or has a column twice.
    """
    regular_file(file, _FILE)
    suffix = file.suffix.lower()
    if suffix == ".csv" or is_workbook(file):
        header, rows, cut = read_table(file, "label file")
        columns = {name.strip().lower(): [row[place] for row in rows] for place, name in enumerate(header)}
        if root is not None and by_file_name(columns):
            return _columns(read_metadata(file, root, more)), []
        said = "It ends with surplus commas; nothing was lost, but check the table."
        return columns, [Problem("label_file", f"{file.name}, line {line}", said) for line in cut]
    if suffix == ".json":
        raw = read_json(file, _FILE)
        coop = read_coop(raw, file) if is_coop(raw) else None
        table = captions_in(raw, file).table.drop(columns="captions").assign(label="") if coop is None else coop
    elif suffix == ".jsonl" and root is not None:
        table = read_metadata(file, root, more)
    elif suffix == ".parquet":
        table = read_parquet(file, _FILE)
        if root is not None and by_file_name(map(str, table.columns)):
            table = read_metadata(file, root, more)
    else:
        hint = "Give a file ending in .csv, .xlsx, .parquet, .json or .jsonl."
        raise DataError("the label file has an unknown file type", hint, value=str(file))
    return _columns(table), []


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    refuse_twins(map(str, table.columns), "label file")
    return {str(name).strip().lower(): table[name].tolist() for name in table.columns}


def _is_name(value: object) -> bool:
    scalar = pd.api.types.is_scalar(value) and not isinstance(value, bytes)
    return bool(scalar) and is_readable(_text(value))


def _text(value: object) -> str:
    """A cell as text: nothing for null, whole numbers without a decimal point (Parquet turns them into floats)."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def relative(path: str, root: Path) -> str:
    """A listed path as a scan names it: relative to root, with "/"."""
    path = path.replace("\\", "/")
    for prefix in (root.as_posix(), root.resolve().as_posix()):
        path = path.removeprefix(f"{prefix.rstrip('/')}/")
    return path.removeprefix("./")

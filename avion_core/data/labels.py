"""Label files: CSV or Parquet with the columns path, label and, if wanted, group and split.

A caption file (JSON) serves too: it names pictures and their split, and gives no labels.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from avion_core.data.captions import read_captions
from avion_core.data.class_names import is_readable
from avion_core.data.problems import Problem
from avion_core.errors import DataError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Label:
    """What is known about one image; "" is unknown."""

    label: str = ""
    group: str = ""
    split: str = ""


def read_labels(file: Path, root: Path, pictures: set[str]) -> tuple[dict[str, Label], list[Problem]]:
    """Labels by picture path relative to `root`; rows that fit no picture are reported.

    Raises:
        DataError: the file cannot be read, lacks a column, or names a split that there is not.
    """
    table = _read_table(file)
    table.columns = [str(name).strip().lower() for name in table.columns]
    if lacking := [name for name in ("path", "label") if name not in table.columns]:
        raise DataError(
            f"the label file has no column {' and no column '.join(lacking)}",
            "It needs path and label, separated by commas in a CSV; group and split are optional.",
            value=", ".join(table.columns),
        )
    columns = {name: table[name].tolist() if name in table else [""] * len(table) for name in Label.__annotations__}
    unknown = sorted({_text(split) for split in columns["split"]} - {"", *SPLITS})
    if unknown:
        raise DataError(
            "the label file names a split that there is not", f"Use {', '.join(SPLITS)} or nothing.", value=unknown[0]
        )
    rows: dict[str, set[Label]] = defaultdict(set)
    problems = []
    by_name = {unicodedata.normalize("NFC", path): path for path in pictures}  # disks and tables write é in two ways
    for raw_path, label, group, split in zip(table["path"].tolist(), *columns.values(), strict=True):
        listed = _relative(_text(raw_path), root)
        path = by_name.get(unicodedata.normalize("NFC", listed))
        if path is None:
            problems.append(Problem("missing", listed, "The label file lists it, but the folder has no such picture."))
        elif not pd.api.types.is_scalar(label) or isinstance(label, bytes) or not is_readable(_text(label)):
            problems.append(
                Problem("unreadable_label", path, f"Its label {label!r} is no name; it was left unlabelled.")
            )
            rows[path].add(Label())
        else:
            rows[path].add(Label(_text(label), _text(group), _text(split)))
    if not rows:
        raise DataError(
            "no row of the label file fits a picture in the folder",
            f"Paths are relative to the image folder, as in {min(pictures)}.",
            value=str(file),
        )
    known = {}
    for path, labels in rows.items():
        if len(labels) == 1:
            (known[path],) = labels
        else:
            shown = ", ".join(sorted(label.label or "no label" for label in labels))
            problems.append(
                Problem(
                    "conflict", path, f"The label file lists it in different ways ({shown}); it was left unlabelled."
                )
            )
    return known, problems


def _read_table(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise DataError("the label file does not exist", "Check the path.", value=str(file))
    if file.suffix.lower() == ".json":
        return read_captions(file).table.drop(columns="captions").assign(label="")
    try:
        if file.suffix.lower() == ".parquet":
            return pd.read_parquet(file)
        if file.suffix.lower() == ".csv":
            return pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("the label file is not UTF-8", "Save it again as CSV UTF-8.", value=str(file)) from error
    except (ValueError, OSError) as error:
        raise DataError("the label file cannot be read", f"Mend or re-export it: {error}.", value=str(file)) from error
    hint = "Give a file ending in .csv, .parquet or .json."
    raise DataError("the label file is of an unknown kind", hint, value=str(file))


def _text(value: object) -> str:
    """A cell as text: nothing for null, whole numbers without a decimal point (Parquet turns them into floats)."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _relative(path: str, root: Path) -> str:
    path = path.replace("\\", "/")
    for prefix in (root.as_posix(), root.resolve().as_posix()):
        path = path.removeprefix(f"{prefix.rstrip('/')}/")
    return path.removeprefix("./")

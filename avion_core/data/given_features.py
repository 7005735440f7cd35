"""A project from embeddings alone: one file with features of images and texts (docs/own-features.md has its schema).

`.npz` is read without pickle, and no array before its size is known from its own head; Parquet by `reading.tables`.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from avion_core.data.class_names import fold, is_readable
from avion_core.data.split_names import split_of
from avion_core.errors import DataError
from avion_core.reading import MEBIBYTE, Subject, read_arrow, refuse_mark, regular_file

FEATURES = ("image_features", "text_features", "class_features")
WHOLE = ("labels", "text_labels")
TEXT = ("class_names", "texts", "image_ids", "split")
NEEDED = ("image_features", "labels", "class_names", "texts", "text_labels", "text_features")
MOST_TEXT, MOST_NAME = 4000, 200
UNLABELLED = -1
_SUBJECT = Subject("the file of features", hint="docs/own-features.md has the schema.", most_bytes=8192 * MEBIBYTE)
_SMALLEST_NORM = 1e-6
_UNREADABLE = (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, KeyError, RuntimeError, MemoryError)


@dataclass(frozen=True)
class GivenFeatures:
    """What a file holds, checked. N images, M texts, C classes, D dimensions; features are float32 of unit norm."""

    image_features: np.ndarray
    """(N, D)"""
    labels: np.ndarray
    """(N,) places in class_names; -1 for an image without a label."""
    class_names: list[str]
    texts: list[str]
    text_labels: np.ndarray
    """(M,) places in class_names."""
    text_features: np.ndarray
    """(M, D)"""
    image_ids: list[str]
    """(N,) different from one another; "image 1" onwards where the file names none."""
    split: list[str]
    """(N,) train, validation, test, or "" to be drawn."""
    class_features: np.ndarray | None
    """(C, D) each class's sentence in the template; None where the file has none."""
    ignored: list[str]
    """Names in the file that the schema does not know."""


def read_given(path: Path) -> GivenFeatures:
    """Read and check a file of features.

    Raises:
        DataError: no `.npz` or Parquet that can be read, an array that is missing, of another type or shape, numbers
            that are none, a place beyond the classes, or names that are empty or the same.
    """
    path = Path(path)
    regular_file(path, _SUBJECT)
    with path.open("rb") as file:
        head = file.read(4)
    arrays, ignored = (_from_parquet if head == b"PAR1" else _from_npz)(path)
    if missing := [name for name in NEEDED if name not in arrays]:
        raise _refused(f"lacks {missing[0]}", path=path)
    images = _features(arrays, "image_features", path)
    texts = _features(arrays, "text_features", path)
    names = _texts(arrays["class_names"], "class_names", path, MOST_NAME)
    written = _texts(arrays["texts"], "texts", path, MOST_TEXT)
    ids = _texts(arrays["image_ids"], "image_ids", path, MOST_NAME) if "image_ids" in arrays else None
    ids = ids or [f"image {number}" for number in range(1, len(images) + 1)]
    split = _splits(arrays.get("split"), len(images), path)
    sentences = _features(arrays, "class_features", path) if "class_features" in arrays else None
    _same_length("labels", arrays["labels"], "image_features", images, path)
    _same_length("text_labels", arrays["text_labels"], "text_features", texts, path)
    _same_length("texts", written, "text_features", texts, path)
    _same_length("image_ids", ids, "image_features", images, path)
    for name, rows in (("text_features", texts), ("class_features", sentences)):
        if rows is not None and rows.shape[1] != images.shape[1]:
            said = f"has {name} of {rows.shape[1]} dimensions beside image_features of {images.shape[1]}"
            raise _refused(said, "Both must come from one model's shared space.", path)
    if sentences is not None:
        _same_length("class_features", sentences, "class_names", names, path)
    if len(names) < 2:
        raise _refused("names fewer than two classes", path=path)
    for what, listed in (("class_names", [fold(name) for name in names]), ("image_ids", ids)):
        if twice := [place for place, count in Counter(listed).items() if count > 1]:
            raise _refused(f"has an entry of {what} twice", "Give each its own.", path, twice[0])
    given = GivenFeatures(
        images,
        _places(arrays["labels"], "labels", len(names), UNLABELLED, path),
        names,
        written,
        _places(arrays["text_labels"], "text_labels", len(names), 0, path),
        texts,
        ids,
        split,
        sentences,
        ignored,
    )
    _one_feature_each(given, path)
    return given


def _from_npz(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays by name, and the names that the schema does not know; these are not read."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            known = {name: info for name, info in entries.items() if name in (*FEATURES, *WHOLE, *TEXT)}
            if sum(info.file_size for info in known.values()) > _SUBJECT.most_bytes:
                raise _refused("becomes too large when it is unpacked", "Divide it.", path)
            for name, info in known.items():
                with archive.open(info) as member:
                    _check_head(name, member, info.file_size, path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in known}
        return arrays, sorted(set(entries) - set(known))
    except DataError:
        raise
    except _UNREADABLE as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise _refused(f"is neither an .npz nor a Parquet file that can be read ({said})", path=path) from None


def _check_head(name: str, member: Any, size: int, path: Path) -> None:
    """Refuse an array of Python objects, and one whose head promises more than the file holds."""
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(member)
    if kind.hasobject:
        hint = f"Save it as text: np.array({name}, dtype=str)." if name in TEXT else "Save numbers alone."
        raise _refused(f"has Python objects in {name}, which are not read", hint, path)
    count = 1
    for side in shape:
        count *= int(side)
    if count * kind.itemsize > size - member.tell():
        raise _refused(f"is cut short: {name} says {shape}", "Write it again.", path)


def _from_parquet(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """One row whose cells are the arrays, or a column an array, the shorter ones filled up with nulls."""
    table = read_arrow(path, _SUBJECT)
    arrays: dict[str, np.ndarray] = {}
    for name in table.column_names:
        if name not in (*FEATURES, *WHOLE, *TEXT):
            continue
        column = table.column(name).combine_chunks()
        while isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
        column = column.drop_null()
        deep = _depth(column.type)
        wanted = 1 if name in FEATURES else 0
        if deep == wanted + 1 and len(column) == 1:
            column, deep = column.flatten(), deep - 1
        if deep != wanted:
            raise _refused(f"has {name} of type {column.type}", path=path)
        if column.null_count or (wanted and column.flatten().null_count):
            raise _refused(f"has a gap in {name}", "Leave no value empty.", path)
        arrays[name] = _matrix(column, name, path) if wanted else np.asarray(column.to_pylist())
    return arrays, sorted(set(table.column_names) - set(arrays))


def _depth(kind: pa.DataType) -> int:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return 1 + _depth(kind.value_type) if lists else 0


def _matrix(column: pa.Array, name: str, path: Path) -> np.ndarray:
    lengths = {len(row) for row in column}
    if len(lengths) > 1:
        raise _refused(f"has rows of different lengths in {name}", path=path)
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


def _features(arrays: Mapping[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    """(rows, D) float32 of unit norm."""
    found = arrays[name]
    if found.ndim != 2 or found.dtype.kind != "f":
        raise _refused(f"has {name} of type {found.dtype} and shape {found.shape}", "Give floats [rows, D].", path)
    if 0 in found.shape:
        raise _refused(f"has no row in {name}", path=path)
    with np.errstate(over="ignore", invalid="ignore"):
        rows = found.astype(np.float32)
        norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    if not np.isfinite(norms).all():
        where = int(np.flatnonzero(~np.isfinite(norms))[0])
        raise _refused(f"has values that are not numbers in {name}", "Compute them again.", path, f"row {where}")
    if (norms < _SMALLEST_NORM).any():
        where = int(np.flatnonzero(norms < _SMALLEST_NORM)[0])
        raise _refused(f"has a row of zeros in {name}", "Leave it out, or compute it again.", path, f"row {where}")
    return (rows / norms[:, None]).astype(np.float32)


def _places(found: np.ndarray, name: str, classes: int, least: int, path: Path) -> np.ndarray:
    if found.dtype.kind == "f" and np.isfinite(found).all() and (found == np.floor(found)).all():
        found = found.astype(np.int64)  # whole numbers that a table with gaps wrote as decimal ones
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise _refused(f"has {name} of type {found.dtype} and shape {found.shape}", "Give whole numbers.", path)
    odd = found[(found < least) | (found >= classes)]
    if len(odd):
        also = f", or {UNLABELLED} for none" if least == UNLABELLED else ""
        hint = f"Places in class_names go from 0 to {classes - 1}{also}."
        raise _refused(f"has {name} that are no class", hint, path, int(odd[0]))
    return found.astype(np.int64)


def _texts(found: np.ndarray, name: str, path: Path, most: int) -> list[str]:
    if found.ndim != 1 or (found.size and found.dtype.kind not in "US"):
        raise _refused(f"has {name} of type {found.dtype} and shape {found.shape}", "Give a list of text.", path)
    try:
        listed = [one.decode() if isinstance(one, bytes) else str(one) for one in found.tolist()]
    except UnicodeDecodeError:
        raise _refused(f"has {name} that are not UTF-8", path=path) from None
    listed = [" ".join(one.split()) for one in listed]
    for place, one in enumerate(listed):
        if not one or len(one) > most or not is_readable(one):
            said = "is empty" if not one else f"is longer than {most:,} characters" if len(one) > most else "is no text"
            raise _refused(f"has an entry of {name} that {said}", path=path, value=f"place {place}")
        refuse_mark(one, Subject(f"an entry of {name}", hint="Leave it out."))
    return listed


def _splits(found: np.ndarray | None, images: int, path: Path) -> list[str]:
    if found is None:
        return [""] * images
    if found.ndim != 1 or found.dtype.kind not in "US" or len(found) != images:
        raise _refused(f"has split of type {found.dtype} and shape {found.shape}", f"Give {images:,} words.", path)
    listed = [(one.decode(errors="replace") if isinstance(one, bytes) else str(one)).strip() for one in found.tolist()]
    named = [split_of(one) if one else "" for one in listed]
    for one, read in zip(listed, named, strict=True):
        if one and not read:
            raise _refused("has an unknown split", "Write train, val, test, or nothing.", path, one)
    return [read or "" for read in named]


def _same_length(name: str, found: Any, other: str, rows: Any, path: Path) -> None:
    if len(found) != len(rows):
        said = f"has {len(found):,} of {name} beside {len(rows):,} of {other}"
        raise _refused(said, "Give one for each.", path)


def _one_feature_each(given: GivenFeatures, path: Path) -> None:
    """A text is known by its words, so one that is listed twice must have one embedding."""
    first: dict[str, int] = {}
    for place, text in enumerate(given.texts):
        before = first.setdefault(text, place)
        if not np.allclose(given.text_features[before], given.text_features[place], atol=1e-3):
            hint = "Give a text the same row wherever it is listed."
            raise _refused("has one text with two different features", hint, path, f"places {before} and {place}")


def _refused(problem: str, hint: str = "", path: Path | None = None, value: Any = None) -> Exception:
    shown = f"{path}" if value is None else f"{path}: {value}"
    error = _SUBJECT.refused(problem, hint, value=shown)
    assert isinstance(error, DataError)
    return error

"""Whether a pack holds a project that can be shown and worked with: asked of all of it, before a row is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from avion_core.config import DescriptionsConfig, PrototypesConfig
from avion_core.data.problems import Problem
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import MANIFEST_COLUMNS
from avion_core.data.splits import Splits
from avion_core.descriptions.writers.settings import WritingSettings
from avion_core.errors import AvionError, DataError
from avion_core.presets import make_config, parse_config
from avion_core.reading import Subject, fitted, is_storable, parse_json, read_json, read_parquet, read_text
from avion_core.store.row_checks import HINT
from avion_core.usecases.transfer.review_facts import read_facts

NEEDED = ("manifest.parquet", "splits.json", "problems.json")
_UNTRUSTED = "Do not use this file; ask its sender for a new one."
_MANIFEST = Subject("the pack's manifest", hint=HINT)
_SPLITS = Subject("the pack's frozen split", hint=HINT)
_PROBLEMS = Subject("the pack's list of problems", hint=HINT)
_ID_CHARACTERS = 64

Tables = Mapping[str, Sequence[dict[str, Any]]]


def read_table(content: bytes, name: str) -> list[dict[str, Any]]:
    """The rows of one table of a pack.

    Raises:
        DataError: a line is no JSON object, or holds what no table keeps.
    """
    subject = Subject("a table of the pack", hint=HINT)
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError:
        raise subject.refused("is not UTF-8", value=name) from None
    return [
        fitted(dict[str, Any], parse_json(line, subject, value=name), subject, value=name) for line in lines if line
    ]


def check_project(tables: Tables, folder: Path, images: Mapping[str, str] | None = None) -> None:
    """See that rows and files of one project belong together and can be read by every page.

    Args:
        tables: table -> rows, as their columns allow (`store.row_checks`).
        folder: the project's own, as unpacked.
        images: of a pack with images, path -> SHA-256 of each; None where they stay elsewhere.

    Raises:
        DataError: the first thing that does not fit.
    """
    _check_settings(tables)
    classes = {row["class_key"] for row in tables.get("classes", ())}
    _check_merges(tables)
    manifest = check_manifest(folder / "manifest.parquet", classes)
    if images is not None:
        _check_contents(manifest, images)
    splits = Splits.from_json(read_text(folder / "splits.json", _SPLITS))
    check_splits(splits, set(manifest["image_id"]), classes)
    read_facts(folder)
    fitted(list[Problem], read_json(folder / "problems.json", _PROBLEMS), _PROBLEMS)


def _check_settings(tables: Tables) -> None:
    project = tables["projects"][0]
    fitted(RenderingRecipe, project["recipe"], Subject("the pack's rendering recipe", hint=HINT))
    try:
        make_config(base=project["defaults"])
        for run in tables.get("runs", ()):
            parse_config(run["config"])
    except AvionError as error:
        raise DataError(f"the pack holds settings that cannot be used ({error.what})", HINT) from None
    rules = Subject("a rule version of the pack", hint=HINT)
    for row in tables.get("rule_versions", ()):
        fitted(PrototypesConfig, row["prototypes"], rules)
        fitted(DescriptionsConfig, row["descriptions"], rules)
    for row in tables.get("generations", ()):
        fitted(WritingSettings, row["settings"], Subject("an order of the pack", hint=HINT))


def _check_merges(tables: Tables) -> None:
    """Each merged class ends in one that is in use, or in none."""
    into = {row["class_key"]: row.get("merged_into", "") for row in tables.get("classes", ()) if row.get("retired")}
    for key in into:
        last, steps = key, 0
        while last in into and steps <= len(into):
            last, steps = into[last], steps + 1
        if last in into:
            raise DataError("the pack merges a class into itself", HINT, value=key)


def check_manifest(file: Path, classes: set[str]) -> pd.DataFrame:
    """The list of images in a file, once it is seen to be one.

    Args:
        classes: the keys that a label may be.

    Raises:
        DataError: the first thing that does not fit.
    """
    table = read_parquet(file, _MANIFEST)
    needed = [name for name in MANIFEST_COLUMNS if name != "depth"]  # older ones have none
    if lacking := [name for name in needed if name not in table]:
        raise _MANIFEST.refused(f"lacks the column {lacking[0]}")
    for name in MANIFEST_COLUMNS.keys() & set(table):
        if MANIFEST_COLUMNS[name] is str:
            odd = [cell for cell in table[name] if not isinstance(cell, str) or not is_storable(cell)]
        else:
            odd = [] if pd.api.types.is_integer_dtype(table[name]) else [table[name].dtype]
        if odd:
            raise _MANIFEST.refused(f"has a {name} that cannot be used", value=odd[0])
    ids = table["image_id"]
    if odd := [*ids[ids.duplicated()], *ids[(ids == "") | (ids.str.len() > _ID_CHARACTERS)]]:
        raise _MANIFEST.refused("names an image twice, or not at all", value=odd[0])
    if unknown := sorted(set(table["label"]) - classes - {""}):
        raise _MANIFEST.refused("gives a label that is no class of the project", value=unknown[0])
    if unknown := sorted(set(table["split"]) - {"", "train", "validation", "test"}):
        raise _MANIFEST.refused("names a split that does not exist", value=unknown[0])
    for path in map(PurePosixPath, table["path"]):
        if path.is_absolute() or ".." in path.parts:
            raise DataError("the pack names an image outside of its folder", _UNTRUSTED, value=str(path))
    return table


def _check_contents(manifest: pd.DataFrame, images: Mapping[str, str]) -> None:
    """Ids are hashes of contents: under a false one, embeddings would be kept as another picture's."""
    for path, image_id in zip(manifest["path"], manifest["image_id"], strict=True):
        if path not in images:
            raise _MANIFEST.refused("lists an image that is not in the pack", value=path)
        if images[path][: len(image_id)] != image_id:
            raise DataError("an image of the pack is another one than its manifest says", _UNTRUSTED, value=path)


def check_splits(splits: Splits, images: set[str], classes: set[str]) -> None:
    """See that a split speaks of these images and classes alone.

    Raises:
        DataError: it names another.
    """
    parts = [*splits.train.values(), *splits.validation.values()]
    if unknown := {key for part in parts for key in part} - classes:
        raise _SPLITS.refused("names a class that the project does not have", value=min(unknown))
    held = {image for part in parts for found in part.values() for image in found} | set(splits.test)
    if unknown := held - images:
        raise _SPLITS.refused("names an image that the project does not have", value=min(unknown))

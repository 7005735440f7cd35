"""A project's pictures: where each one is and which part of the splits it is in, and how rasters are rendered."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from avion_core.backbones.catalog import is_given
from avion_core.data.catalog import DATA_SETS
from avion_core.data.class_names import fold
from avion_core.data.images import decode_image
from avion_core.data.labels import read_labels
from avion_core.data.layout import Layout, labels_of, read_layout
from avion_core.data.problems import ImageError, Problem
from avion_core.data.recipe import RenderingRecipe, suggest_recipe
from avion_core.data.scan import list_pictures
from avion_core.errors import AvionError, DataError, EditedMeanwhileError, NotFoundError
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.projects import find_project
from avion_core.store.sources import image_root
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.current_images import current_images

PARTS = ("train", "validation", "test", "pool", "unlabelled")
_SAMPLES = 4
_TABLES = (".csv", ".xlsx", ".parquet", ".jsonl")
_MOST_TABLES = 5
"""Right in a folder; where more lie, they hold something else, such as boxes of every picture."""


@dataclass(frozen=True)
class FolderLook:
    """What a folder seems to hold, found without reading all of it."""

    root: Path
    """Where the class folders lie; a published archive often has them one folder down."""
    pictures: int
    classes: tuple[str, ...]
    samples: tuple[Path, ...]
    """Up to four pictures, spread over the folder."""
    bands: int
    """Of the first sample image."""
    recipe: RenderingRecipe | None
    """A suggestion where the pictures cannot be shown as they are, else None."""
    data_set: str
    """A key of the catalog whose classes these are, or ""."""
    layout: Layout
    """What the folders are, and what is to be asked about them."""
    label_table: Path | None
    """The only table right in the given folder that labels its pictures; None where there is none, or more than one."""


@use_case
def image_path(home: Home, project: str, image_id: str) -> Path:
    """The file of an image; its bare name in a project made from embeddings, which has no file of it.

    Raises:
        NotFoundError: the project has no such image.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        manifest = current_images(home, session, row.id).manifest
    found = manifest.loc[manifest["image_id"] == image_id, "path"].tolist()
    if not found:
        raise NotFoundError("the project has no such image", "Reload the page.", value=image_id)
    return Path(found[0]) if is_given(row.teacher) else image_root(row) / found[0]


@use_case
def image_table(home: Home, project: str, seed: int = 1) -> pd.DataFrame:
    """One row per image, by path.

    Columns: image_id, path (absolute; a bare name in a project made from embeddings), name (relative to the image
    folder), class_key ("" for none), part ("train": among the most shots that a run may take; "validation"; "test":
    sealed, also without a label; "pool": labelled, but taken by no run; or "unlabelled"), place (from 1, its rank among
    its class's training shots; 0 elsewhere), group, by_hand (people gave the label), width, height, bands.

    Raises:
        DataError: a seed that was not drawn.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        now = current_images(home, session, row.id)
    manifest, splits = now.manifest, now.splits
    part: dict[str, str] = dict.fromkeys(manifest.loc[manifest["label"] == "", "image_id"], "unlabelled")
    place = {}
    for images in splits.validation_images(seed, splits.max_shots).values():
        part |= dict.fromkeys(images, "validation")
    for images in splits.shots(seed, splits.max_shots).values():
        part |= dict.fromkeys(images, "train")
        place |= {image: rank for rank, image in enumerate(images, start=1)}
    part |= dict.fromkeys(splits.test, "test")  # sealed, with a label or without
    return pd.DataFrame(
        {
            "image_id": manifest["image_id"],
            "path": ("" if is_given(row.teacher) else f"{image_root(row)}{os.sep}") + manifest["path"],
            "name": manifest["path"],
            "class_key": manifest["label"],
            "part": [part.get(image, "pool") for image in manifest["image_id"]],
            "place": [place.get(image, 0) for image in manifest["image_id"]],
            "group": manifest["group"],
            "by_hand": manifest["image_id"].isin(now.given),
            "width": manifest["width"],
            "height": manifest["height"],
            "bands": manifest["bands"],
        }
    )


@use_case
def class_pictures(home: Home, project: str, most: int) -> dict[str, list[Path]]:
    """Class key -> the files of its first training images, `most` of each at most; never of the sealed test set."""
    with reading(home.engine) as session:
        row = find_project(session, project)
        now = current_images(home, session, row.id)
    paths = dict(zip(now.manifest["image_id"], now.manifest["path"], strict=True))
    shots = now.splits.shots(min(now.splits.train), now.splits.max_shots)
    return {key: [image_root(row) / paths[image] for image in images[:most]] for key, images in shots.items()}


@use_case
def look_into(home: Home, folder: Path) -> FolderLook:
    """See what a folder would make as a project, before all of it is read.

    Raises:
        RightsError: a path that is not theirs to name.
        DataError: no such folder, or no picture in it.
    """
    given = nameable(home.actor, folder)
    listed = list_pictures(given)
    root, paths = _class_root(given, listed)
    step = max(1, len(paths) // _SAMPLES)
    samples = tuple(root / path for path in paths[::step][:_SAMPLES])
    recipe, bands = _needed_recipe(samples)
    layout = read_layout(paths)
    classes = tuple(sorted({label.label for label in labels_of(paths, layout.order)[0].values() if label.label}))
    named = {fold(name) for name in classes}
    known = (entry.name for entry in DATA_SETS.values() if entry.classes and named == set(map(fold, entry.classes)))
    table = _label_table(home, given)
    return FolderLook(root, len(paths), classes, samples, bands, recipe, next(known, ""), layout, table)


@dataclass(frozen=True)
class LabelLook:
    """What a label table says of the pictures in a folder."""

    classes: dict[str, int]
    """Class -> its pictures, the most first."""
    unlabelled: int
    """Pictures that it gives no label."""
    splits: dict[str, int]
    """Given split -> its pictures."""
    problems: list[Problem]
    """Rows and pictures that do not fit."""


@use_case
def look_at_labels(home: Home, folder: Path, labels: Path) -> LabelLook:
    """See what a label table would make of a folder, before anything is created and without opening a picture.

    Raises:
        RightsError: a path that is not theirs to name.
        DataError: no such folder, no picture in it, or the table cannot be used (see `data.labels`).
    """
    root, file = nameable(home.actor, folder), nameable(home.actor, labels)
    pictures = set(list_pictures(root))
    found, problems = read_labels(file, root, pictures)
    classes = Counter(label.label for label in found.values() if label.label)
    splits = Counter(label.split for label in found.values() if label.split)
    return LabelLook(dict(classes.most_common()), len(pictures) - classes.total(), dict(splits), problems)


@use_case
def set_recipe(home: Home, project: str, recipe: RenderingRecipe, *, opened: RenderingRecipe | None = None) -> None:
    """Render the project's pictures in another way from now on; what was computed before is computed again when needed.

    Finished runs keep the recipe they were trained with.

    Args:
        opened: the recipe that somebody began from.

    Raises:
        DataError: a picture of the project cannot be rendered so.
        EditedMeanwhileError: somebody else has set another recipe since.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        manifest = current_images(home, session, row.id).manifest
    for _, of_kind in manifest.groupby("bands"):
        decode_image(image_root(row) / of_kind["path"].iloc[0], recipe)
    with writing(home.engine) as session:
        row = find_project(session, project)
        now = RenderingRecipe.model_validate(row.recipe)
        if opened is not None and now not in (opened, recipe):
            hint = "Compare the two, then save yours or take theirs."
            yours, theirs = (
                {name: str(value) for name, value in one if value != getattr(other, name)}
                for one, other in ((recipe, now), (now, recipe))
            )
            raise EditedMeanwhileError("the recipe was changed meanwhile", hint, yours=yours, now=theirs)
        row.recipe = recipe.model_dump(mode="json")
        said = recipe.model_dump_json(exclude_defaults=True)
        note(
            session,
            row.id,
            "data",
            f"The rendering recipe was changed to {said}; embeddings are computed again.",
            home.actor.name,
        )


@use_case
def look_at_test_images(home: Home, project: str, why: str) -> None:
    """Write into the journal that the actor has the project's sealed test images shown.

    Looks are counted by run; these pictures belong to no run.

    Args:
        why: what for, as the end of a sentence.

    Raises:
        NotFoundError: no such project.
    """
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        note(session, project_id, "data", f"Looked at images of the sealed test set {why}.", home.actor.name)


def _label_table(home: Home, folder: Path) -> Path | None:
    tables = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in _TABLES]
    fitting = [file for file in tables if _labels_something(home, folder, file)] if len(tables) <= _MOST_TABLES else []
    return fitting[0] if len(fitting) == 1 else None


def _labels_something(home: Home, folder: Path, table: Path) -> bool:
    try:
        return bool(look_at_labels(home, folder, table).classes)
    except AvionError:  # a table of something else
        return False


def _class_root(given: Path, paths: list[str]) -> tuple[Path, list[str]]:
    """Down through folders that hold nothing but one folder with several more in it, as `Images/` of an archive."""
    tops = Counter(path.split("/")[0] for path in paths)
    inner = {path.split("/")[1] for path in paths if path.count("/") > 1}
    (only, count), *others = tops.most_common()
    if others or count < len(paths) or len(inner) < 2 or any(path.count("/") < 2 for path in paths):
        return given, paths
    return _class_root(given / only, [path.removeprefix(f"{only}/") for path in paths])


def _needed_recipe(samples: tuple[Path, ...]) -> tuple[RenderingRecipe | None, int]:
    """A recipe for the first sample that cannot be shown as it is, and how many bands the first readable one has."""
    bands = 0
    for sample in samples:
        try:
            found = decode_image(sample, RenderingRecipe())[1]
            bands = bands or found
        except ImageError as error:
            if error.kind != "needs_recipe":
                continue
            try:
                recipe = suggest_recipe(sample)
                return recipe, decode_image(sample, recipe)[1]
            except DataError:
                continue
    return None, bands

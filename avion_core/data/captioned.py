"""Captions of a project's images, and which of them teach, choose and measure (docs/method.md section 7).

The parts are the caption file's own. Where it has no validation images, as RSITMD's and UCM's have none, a tenth of the
training images is held out, with their groups.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from avion_core.data.captions import CAPTION_COLUMNS, Captions
from avion_core.data.labels import SAFEST_SPLIT
from avion_core.data.problems import Problem
from avion_core.data.split_names import SPLITS
from avion_core.data.splits import draw_rank
from avion_core.errors import DataError

if TYPE_CHECKING:
    from avion_core.data.project import ProjectData

HELD_OUT_SHARE = 0.1
MOST_HELD_OUT = 500
"""Images held out for validation where the file names none: this share of the training images, and at most so many."""


@dataclass(frozen=True)
class Captioned:
    """N images of a project with their M captions, in a fixed order."""

    project: ProjectData
    image_ids: list[str]
    texts: list[str]
    owners: list[int]
    """(M,) the place of each caption's image."""


def match_captions(
    found: Captions, image_of: Mapping[str, str], same_as: Callable[[str], str | None] = lambda _: None
) -> tuple[pd.DataFrame, list[Problem]]:
    """A caption file's texts by the content of their images: columns CAPTION_COLUMNS.

    A caption that an image has twice stays twice, as the published figures count it: each is a query, and takes a
    place in a list. Copies of one content have their captions together; where the file puts them into different parts,
    all are in the one that is safest against leaks.

    Args:
        image_of: path, relative to the folder of images -> image id.
        same_as: asked for a listed path that is none of these; the image id of the same content, or None.

    Raises:
        DataError: no listed image is one of the project's.
    """
    by_name = {unicodedata.normalize("NFC", path): image for path, image in image_of.items()}
    texts: dict[str, list[str]] = {}
    parts: dict[str, set[str]] = {}
    problems = list(found.problems)
    for path, split, captions in found.table.itertuples(index=False, name=None):
        image = by_name.get(unicodedata.normalize("NFC", path.removeprefix("./"))) or same_as(path)
        if image is None:
            said = "The caption file lists it, but the folder has no such image."
            problems.append(Problem("missing", path, said))
            continue
        texts.setdefault(image, []).extend(captions)
        parts.setdefault(image, set()).add(split)
        if len(parts[image]) > 1:
            said = f"The same image is listed in {' and '.join(sorted(parts[image]))}: it stays out of training."
            problems.append(Problem("conflict", path, said))
    if not texts:
        raise DataError(
            "no image of the caption file is one of the project's",
            f"Paths are relative to the image folder, as in {min(image_of, default='NAME.jpg')}.",
            value=str(found.table["path"].iloc[0]) if len(found.table) else "no images",
        )
    rows = [
        (image, min(parts[image], key=SAFEST_SPLIT.index), text)
        for image, of_image in texts.items()
        for text in of_image
    ]
    return pd.DataFrame(rows, columns=list(CAPTION_COLUMNS)), problems


def captioned_part(project: ProjectData, part: str, seed: int) -> Captioned:
    """A project's images of "train", "validation" or "test" with their captions.

    Raises:
        DataError: another part.
    """
    if part not in SPLITS:
        raise DataError("there is no such split", "Choose validation or test.", value=part)
    table = project.captions
    if part != "test" and not (table["split"] == "validation").any():
        held = _held_out(project, seed)
        table = table.assign(split=table["split"].mask(table["image_id"].isin(held), "validation"))
    return _captioned(project, table[table["split"] == part])


def teaching_captions(projects: Sequence[ProjectData], seed: int) -> list[Captioned]:
    """The training captions of projects that are trained on together.

    An image that any of them holds out, by content, teaches in none: data sets of captions share images.
    """
    held = held_out_anywhere(projects, seed)
    return [_without(captioned_part(project, "train", seed), held) for project in projects]


def held_out_anywhere(projects: Sequence[ProjectData], seed: int) -> set[str]:
    """Ids of all images that one of the projects validates or tests on."""
    parts = (captioned_part(project, part, seed) for project in projects for part in ("validation", "test"))
    return {image for part in parts for image in part.image_ids}


def shared_images(projects: Sequence[ProjectData], seed: int) -> int:
    """How many training images of the projects are left out because another one of them holds them out."""
    held = held_out_anywhere(projects, seed)
    return sum(len(held.intersection(captioned_part(project, "train", seed).image_ids)) for project in projects)


def _without(found: Captioned, left_out: set[str]) -> Captioned:
    of_image = zip((found.image_ids[owner] for owner in found.owners), found.texts, strict=True)
    rows = [(image, text) for image, text in of_image if image not in left_out]
    return _captioned(found.project, pd.DataFrame(rows, columns=["image_id", "text"]))


def _captioned(project: ProjectData, rows: pd.DataFrame) -> Captioned:
    """By image id, so that neither files nor rows decide the order."""
    rows = rows.sort_values("image_id", kind="stable")
    images = list(dict.fromkeys(rows["image_id"]))
    place = {image: number for number, image in enumerate(images)}
    return Captioned(project, images, list(rows["text"]), [place[image] for image in rows["image_id"]])


def _held_out(project: ProjectData, seed: int) -> set[str]:
    """Training images to validate on, whole groups, drawn by the seed."""
    training = set(project.captions.loc[project.captions["split"] == "train", "image_id"])
    units: dict[str, list[str]] = {}
    for image, group in zip(project.manifest["image_id"], project.manifest["group"], strict=True):
        if image in training:
            units.setdefault(group or image, []).append(image)
    wanted = min(MOST_HELD_OUT, round(HELD_OUT_SHARE * len(training)))
    return set(_first(units, seed, wanted))


def _first(units: Mapping[str, list[str]], seed: int, wanted: int) -> Iterator[str]:
    taken = 0
    for unit in sorted(units, key=lambda unit: draw_rank("captions", seed, unit)):
        if taken + len(units[unit]) <= wanted:
            taken += len(units[unit])
            yield from units[unit]

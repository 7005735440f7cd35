"""The alignment map of a run, or of a project before any: its items, how each view sees them, where it is kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.towers import Towers
from avion_core.config import RunConfig
from avion_core.data.project import ProjectData, class_texts, held_out_images, training_images
from avion_core.distill.student_towers import StudentTowers
from avion_core.distill.teacher_side import TeacherSide
from avion_core.features.store import FeatureStore, image_features, text_features
from avion_core.files import replacing_folder
from avion_core.maps.alignment_map import ITEM_COLUMNS, alignment_map, map_key
from avion_core.maps.settings import MapSettings
from avion_core.methods import find_method
from avion_core.progress import Progress
from avion_core.protocols import find_protocol, predict
from avion_core.prototypes.class_vectors import JUDGED, class_vectors
from avion_core.reading import Subject, read_parquet

_FIRST = ("train", "validation")
_PROTOTYPES = Subject(
    "the run's table of descriptions", hint="Restore the run's folder from a copy, or start a new run."
)


@dataclass(frozen=True)
class DrawnImages:
    """The images of a map."""

    part_of: dict[str, str]
    """Image id -> part, in the map's order."""
    counts: dict[str, tuple[int, int]]
    """Part -> (how many are shown, how many there are), for every part that the project has, chosen or not."""


def image_parts(project: ProjectData, config: RunConfig) -> dict[str, list[str]]:
    """Every image of the project by its part in a run: training shots, validation, pool, unlabelled, sealed test."""
    classes = list(_set_of(project, config))
    trained = find_protocol(config.protocol.name).trained_classes(project.class_names, config)
    labels = dict(zip(project.manifest["image_id"], project.manifest["label"], strict=True))
    shots = training_images(project, config, trained).image_ids
    validation = held_out_images(project, config, classes, "validation").image_ids
    taken = {*shots, *validation, *project.splits.test}
    return {
        "train": shots,
        "validation": validation,
        "pool": [image for image, label in labels.items() if label and image not in taken],
        "unlabelled": [image for image, label in labels.items() if not label and image not in taken],
        "test": list(project.splits.test),
    }


def draw_images(project: ProjectData, config: RunConfig, settings: MapSettings) -> DrawnImages:
    """The images that the settings choose; of more than `most_images` so many, by the seed and not by file order.

    Training shots and validation images come first; what room they leave is drawn from the other parts together.
    """
    parts = image_parts(project, config)
    wanted = [part for part in parts if part in settings.parts and "image" in settings.kinds]
    first = [(image, part) for part in _FIRST if part in wanted for image in parts[part]]
    others = [(image, part) for part in wanted if part not in _FIRST for image in parts[part]]
    for group, room in ((first, settings.most_images), (others, max(0, settings.most_images - len(first)))):
        if len(group) > room:
            group.sort(key=lambda pair: hashlib.sha256(f"{settings.seed} {pair[0]}".encode()).digest())
            del group[room:]
    part_of = dict(sorted(first + others, key=lambda pair: (_FIRST + settings.parts).index(pair[1])))
    shown = pd.Series(list(part_of.values()), dtype=object).value_counts()
    return DrawnImages(part_of, {part: (int(shown.get(part, 0)), len(ids)) for part, ids in parts.items() if ids})


def map_items(
    project: ProjectData,
    config: RunConfig,
    folder: Path,
    drawn: DrawnImages,
    *,
    features: FeatureStore,
    weights: WeightStore,
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """What a run's map shows, and how the teacher, the student before and the student after see it.

    Of a method that trains no student there is the teacher's view alone.

    A prototype is the teacher's text prototype in the teacher's view and the student's class text in the student's.
    Novel classes have no teacher prototype from images: their template stands in for it there, and their descriptions
    were not judged by the run, so that whether they are kept is missing.

    Returns:
        items as `alignment_map` takes them, one row each; and per view an (N, D) array.
    """
    set_of = _set_of(project, config)
    manifest = project.manifest.set_index("image_id").loc[list(drawn.part_of)]
    images = pd.DataFrame(
        {
            "id": list(drawn.part_of),
            "kind": "image",
            "class_key": manifest["label"].to_list(),
            "part": list(drawn.part_of.values()),
            "path": manifest["path"].to_list(),
        }
    )
    teacher = load_towers(config.teacher, weights, device=device)
    trains = find_method(config.method).trains_student
    classes = list(set_of)
    if trains:
        side = _kept_side(folder, teacher, classes)
    else:
        side = _judged_side(project, config, classes, teacher, features, progress)
    texts = _descriptions(project, side.judged, set_of)
    templates = class_texts(project.class_names, side.classes, config.model.template)
    prototypes = pd.DataFrame(
        {
            "id": [f"class:{key}" for key in side.classes],
            "kind": "prototype",
            "class_key": side.classes,
            "text": templates,
        }
    )
    items = pd.concat([images, texts, prototypes], ignore_index=True).reindex(columns=list(ITEM_COLUMNS))
    items["set"] = items["class_key"].map(set_of)
    items["kept"] = items["kept"].astype("boolean")
    words = ["class_key", "part", "set", "writer", "text", "path"]
    items[words] = items[words].astype(object).fillna("")

    pairs, described = project.images(list(drawn.part_of)), list(texts["text"])
    seen = {
        "teacher": [
            image_features(teacher, pairs, features, recipe=project.recipe, progress=progress),
            text_features(teacher, described, features, progress),
            side.prototypes,
            text_features(teacher, templates[len(side.prototypes) :], features),
        ]
    }
    del teacher  # the largest of the models: the student needs the room
    if trains:
        after = StudentTowers(predict.load_student(config, folder, weights, device=device).student)
        for name, towers in (("before", after.backbone), ("after", after)):
            seen[name] = [
                image_features(towers, pairs, features, recipe=project.recipe, progress=progress),
                text_features(towers, described, features, progress),
                text_features(towers, templates, features),
            ]
    return items, {name: torch.cat(parts).numpy() for name, parts in seen.items()}


@dataclass(frozen=True)
class _Side:
    """What the teacher made of a run's texts."""

    judged: pd.DataFrame
    """Columns `class_vectors.JUDGED`."""
    classes: list[str]
    """Those with a prototype on the map, first those of `prototypes`; for the others, their sentences stand in."""
    prototypes: Tensor
    """(K, D)"""


def _kept_side(folder: Path, teacher: Towers, classes: list[str]) -> _Side:
    """As the run kept it."""
    side = TeacherSide.load(folder)
    side.demand(teacher, "teacher")
    judged = read_parquet(folder / "prototypes.parquet", _PROTOTYPES, JUDGED)
    return _Side(judged, classes, side.prototypes)


def _judged_side(
    project: ProjectData,
    config: RunConfig,
    classes: list[str],
    teacher: Towers,
    features: FeatureStore,
    progress: Progress | None,
) -> _Side:
    """Of a run that needed no texts, or of no run: judged now, by its shots and rules. A class without a text or a shot
    has its sentence, or, where no model can read that, no prototype."""
    trained = find_protocol(config.protocol.name).trained_classes(project.class_names, config)
    found = class_vectors(project, config, classes, trained, teacher, features, progress)
    return _Side(found.judged, found.class_keys, found.vectors)


def make_run_map(
    project: ProjectData,
    config: RunConfig,
    folder: Path,
    settings: MapSettings,
    *,
    features: FeatureStore,
    weights: WeightStore,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Path:
    """Lay out a run's map and keep it by its content under `folder`/maps; what is kept already is not made again.

    Returns:
        The folder with points.parquet, figures.parquet (see `AlignmentMap`) and counts.json (see `DrawnImages`).

    Raises:
        DataError: too few items, or an image that cannot be decoded.
    """
    drawn = draw_images(project, config, settings)
    items, seen = map_items(
        project, config, folder, drawn, features=features, weights=weights, device=device, progress=progress
    )
    kept = folder / "maps" / map_key(items, seen, settings)
    if kept.is_dir():
        return kept
    laid_out = alignment_map(items, seen, settings, progress=progress)
    with replacing_folder(kept) as unfinished:
        laid_out.points.to_parquet(unfinished / "points.parquet", index=False)
        laid_out.figures.to_parquet(unfinished / "figures.parquet", index=False)
        (unfinished / "counts.json").write_text(json.dumps(drawn.counts), encoding="utf-8")
    return kept


def _set_of(project: ProjectData, config: RunConfig) -> dict[str, str]:
    """Class key -> the part of the run's protocol that it is in, the trained classes first."""
    protocol = find_protocol(config.protocol.name)
    trained = protocol.trained_classes(project.class_names, config)
    # Parts of other projects are not on the map of this one.
    # Nor are parts that ask about classes of another part.
    parts = [part for part in protocol.parts(project, [], config) if part.project is project and part.shown is None]
    set_of = {key: part.name for part in parts for key in part.classes}
    return {key: set_of.get(key, "") for key in [*trained, *set_of]}


def _descriptions(project: ProjectData, judged: pd.DataFrame, set_of: dict[str, str]) -> pd.DataFrame:
    """The run's candidates with whether they were kept, and those of novel classes, which it did not judge."""
    of_run = project.descriptions[["description_id", "class_key", "text", "writer"]]
    beyond = ~of_run["description_id"].isin(judged["description_id"]) & of_run["class_key"].isin(list(set_of))
    table = pd.concat([judged, of_run[beyond].drop(columns="writer")], ignore_index=True)
    table["writer"] = table["description_id"].map(of_run.set_index("description_id")["writer"])
    return table.rename(columns={"description_id": "id"}).assign(kind="description")

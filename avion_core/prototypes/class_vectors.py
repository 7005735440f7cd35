"""The teacher's vector for every class of a project, before anything is trained.

Where a class has labelled images and usable descriptions it is its text prototype (`prototypes.judged`), else its name
in the template; so pictures can be classified and mapped as soon as there are two classes.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from avion_core.backbones.given import GivenTowers
from avion_core.backbones.towers import Towers
from avion_core.config import RunConfig
from avion_core.data.project import ProjectData, class_texts, training_images
from avion_core.features.store import FeatureStore, image_features, text_features
from avion_core.progress import Progress
from avion_core.prototypes.judged import grounds_of, judged_classes

JUDGED = ["description_id", "class_key", "text", "kept"]
"""Columns of `ClassVectors.judged`."""


@dataclass(frozen=True)
class ClassVectors:
    """C classes as the teacher knows them, D dimensions."""

    class_keys: list[str]
    """Those that have a vector, first those whose descriptions made it, each group in the order given."""
    vectors: Tensor
    """(C, D), unit norm."""
    by_texts: int
    """How many of them, from the first, are text prototypes; the others are class names in the template."""
    judged: pd.DataFrame
    """The descriptions that could be judged: columns JUDGED."""


def class_vectors(
    project: ProjectData,
    config: RunConfig,
    classes: Sequence[str],
    judge: Sequence[str],
    teacher: Towers,
    store: FeatureStore,
    progress: Progress | None = None,
) -> ClassVectors:
    """What the teacher compares pictures with; embeddings that are not kept yet are computed.

    Args:
        classes: those that are wanted. One that has neither a usable description nor, where embeddings were given, a
            name among them is left out.
        judge: those of them whose descriptions speak, where they have a training shot.
    """
    shots = project.splits.shots(config.data.seed, config.data.shots)
    speaking = set(judge)
    taught = judged_classes([key for key in classes if key in speaking], shots)
    judged = pd.DataFrame(columns=JUDGED)
    worded: list[str] = []
    parts: list[Tensor] = []
    if taught:
        labelled = training_images(project, config, taught)
        images, recipe = project.images(labelled.image_ids), project.recipe
        f = image_features(teacher, images, store, recipe=recipe, progress=progress).cpu()
        grounds = grounds_of(project, config, taught, f, torch.tensor(labelled.labels), teacher, store, progress)
        decided = grounds.judged(config.prototypes, config.descriptions, allow_blocked=True)
        by_name = {*decided.blocked, *decided.template}
        places = [place for place, key in enumerate(taught) if key not in by_name]
        judged, worded, parts = decided.table[JUDGED], [taught[place] for place in places], [decided.vectors[places]]
    others = [key for key in classes if key not in worded]
    names = class_texts(project.class_names, others, config.model.template)
    if isinstance(teacher, GivenTowers) and not teacher.knows(names):
        others, names = [], []
    if names:
        parts.append(text_features(teacher, names, store, progress).cpu())
    vectors = torch.cat(parts) if parts else torch.empty(0, teacher.dim)
    return ClassVectors([*worded, *others], vectors, len(worded), judged)

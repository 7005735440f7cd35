"""A project from embeddings alone: no weights, no pictures (docs/own-features.md)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from avion_core.config import DEFAULT_TEMPLATE
from avion_core.data.class_names import name_problems, prompt_names
from avion_core.data.given_features import GivenFeatures, read_given
from avion_core.data.problems import Problem
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import MANIFEST_COLUMNS
from avion_core.descriptions.schema import description_id
from avion_core.presets import make_config
from avion_core.store import projects
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.tables import Project
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.creating import draw_or_wait, write_files
from avion_core.usecases.projects.summaries import ProjectSummary, get_project
from avion_core.wording import counted

_WRITER = "file of features"
_METHOD = "class_mean"
"""What a run trains unless it says otherwise: AVION needs the pictures."""


@use_case
def create_from_features(
    home: Home, name: str, file: Path, *, modality: str = "optical", defaults: dict[str, Any] | None = None
) -> ProjectSummary:
    """Read and check a file of features, draw the splits of its images once, and keep both.

    Args:
        defaults: nested settings that every run of the project starts from (see `config.make_config`).

    Raises:
        RightsError: a path that is not theirs to name.
        DataError: the name is taken, or the file cannot be used (see `data.given_features`).
        ConfigError: defaults that make no settings.
        StoreError: there is no room for it.
    """
    file, name = nameable(home.actor, file), name.strip()
    with reading(home.engine) as session:
        projects.refuse_taken_name(session, name)
    given = read_given(file)
    names = prompt_names(given.class_names)
    manifest, problems = _manifest(given)
    splits = draw_or_wait(manifest)
    sentences = [DEFAULT_TEMPLATE.format(names[key]) for key in given.class_names]
    rows, texts = [given.text_features], list(given.texts)
    if given.class_features is not None:
        rows, texts = [*rows, given.class_features], [*texts, *sentences]
    model = home.weights.add_given(
        torch.from_numpy(given.image_features),
        [_image_id(one) for one in given.image_ids],
        torch.from_numpy(np.concatenate(rows)),
        texts,
    )
    defaults = {"method": _METHOD, **(defaults or {}), "teacher": model, "student": model}
    defaults["descriptions"] = {"modality": modality, **defaults.get("descriptions", {})}
    make_config(base=defaults)
    recipe = RenderingRecipe().model_dump(mode="json")
    project = Project(
        name=name,
        image_root=str(file),
        modality=modality,
        teacher=model,
        student=model,
        recipe=recipe,
        defaults=defaults,
    )
    written = [
        {"description_id": description_id(key, text), "class_key": key, "text": text, "writer": _WRITER}
        for key, text in zip([given.class_names[place] for place in given.text_labels], given.texts, strict=True)
    ]
    with writing(home.engine) as session:
        projects.add_project(session, project, names)
        write_files(home.project_folder(project.id), manifest, splits, problems)
        added = projects.add_descriptions(session, project.id, written)
        made = f"Made from the embeddings of {counted(len(manifest), 'image')} and {counted(added, 'description')}"
        note(session, project.id, "project", f"{made} in {file}.", home.actor.name)
    return get_project(home, project.id)


def _image_id(name: str) -> str:
    """An id as content hashes are; an image's name in the file is all that is known of it."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _manifest(given: GivenFeatures) -> tuple[pd.DataFrame, list[Problem]]:
    """One row per image. Images with the same embedding are one group, so that no split divides them."""
    problems = name_problems(set(given.class_names))
    groups = [""] * len(given.image_ids)
    _, same = np.unique(given.image_features, axis=0, return_inverse=True)
    counts = Counter(same.ravel().tolist())
    first: dict[int, int] = {}
    for place, unit in enumerate(same.ravel().tolist()):
        if counts[unit] > 1:
            kept = first.setdefault(unit, place)
            groups[place] = f"same as {given.image_ids[kept]}"
    for unit, place in first.items():
        said = f"{counts[unit]:,} images have this very embedding. They are kept on one side of every split."
        problems.append(Problem("near_copy", given.image_ids[place], said))
    if given.ignored:
        said = f"The file holds names that are not read: {', '.join(given.ignored[:10])}."
        problems.append(Problem("unsupported", given.ignored[0], said))
    labels = [given.class_names[place] if place >= 0 else "" for place in given.labels]
    rows = {
        "image_id": [_image_id(one) for one in given.image_ids],
        "path": given.image_ids,
        "label": labels,
        "group": _undivided(groups, given.split),
        "split": given.split,
    }
    nothing = {"width": 0, "height": 0, "bands": 0, "depth": "byte", "bytes": 0}
    table = pd.DataFrame(rows).assign(**nothing)[list(MANIFEST_COLUMNS)].astype(MANIFEST_COLUMNS)
    return table.sort_values("path", ignore_index=True), problems


def _undivided(groups: Sequence[str], split: Sequence[str]) -> list[str]:
    """Groups without those that a given split divides: such a split is kept."""
    sides: dict[str, set[str]] = {}
    for group, part in zip(groups, split, strict=True):
        sides.setdefault(group, set()).add(part)
    return [group if len(sides[group] - {""}) < 2 else "" for group in groups]

"""What a demo comes with beside its images and texts: embeddings, a finished run with its evaluation, and a map.

So every page has something to show as soon as the demo is open. `tools/ship_demo_results.py` makes them; they carry the
hashes of what made them, and are left out where one of these is another by now.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from avion_core import bundled
from avion_core.config import RunConfig
from avion_core.data.project import class_texts
from avion_core.presets import make_config
from avion_core.reading import Subject, fitted, read_json
from avion_core.store import journal
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.sources import scanned_images
from avion_core.store.tables import Job, Run, new_id
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.summaries import get_project

if TYPE_CHECKING:
    from avion_core.features.shards import Space

FOLDER = "computed"
"""In a demo's folder: about.json, features/ and run/ (the run's folder as it was)."""
WHO = "(the demo)"
"""Whose its run is. No account can be called so: a person's runs are never taken for it."""
_RESULTS = Subject("what the demo came with", hint="Install the package again.")


class ShippedRun(BaseModel):
    """A run's row, but for what a process measured of its machine: it would mislead the estimates of this one."""

    name: str
    config: RunConfig
    origin: dict[str, Any] | None
    rule_version: int
    step: int
    steps: int
    epoch: int
    accuracy: float | None
    summary: dict[str, Any]
    device: str | None
    began: datetime
    ended: datetime


class Shipped(BaseModel):
    """about.json."""

    made_from: dict[str, str]
    run: ShippedRun


@use_case
def first_settings(home: Home, project: str) -> RunConfig:
    """The settings from which a run of a project starts before anybody has saved rules or changed one."""
    return make_config(base=get_project(home, project).defaults)


@use_case
def made_from(home: Home, project_id: str, folder: Path, config: RunConfig) -> dict[str, str]:
    """SHA-256 of what a demo's results follow from: images with labels and parts, texts, settings, weights.

    Args:
        folder: the demo's.
        config: the settings of its run.

    Raises:
        RightsError: a path that is not theirs to name.
    """
    folder = nameable(home.actor, folder)
    images = scanned_images(home, project_id).sort_values("image_id")
    rows = images[["image_id", "label", "group", "split"]].to_csv(index=False)
    # Those that differ from the defaults: a setting that came with a later version changes nothing by being there.
    settings = json.dumps(config.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
    weights = bundled.demo_folder() / "weights"
    return {
        "images": hashlib.sha256(rows.encode()).hexdigest(),
        "descriptions": _digest([folder / "descriptions.jsonl"]),
        "settings": hashlib.sha256(settings.encode()).hexdigest(),
        "weights": _digest(sorted(weights.glob("*.safetensors"))),
    }


@use_case
def install_demo_results(home: Home, project_id: str, folder: Path) -> str | None:
    """Give a demo that was just made what it comes with; returns the run's id, or None where there is none or it is
    stale, which the journal says.

    Args:
        folder: the demo's.

    Raises:
        RightsError: a path that is not theirs to name.
        DataError: what it comes with is damaged.
    """
    folder = nameable(home.actor, folder)
    computed = folder / FOLDER
    if not (computed / "about.json").is_file():
        return None
    about = fitted(Shipped, read_json(computed / "about.json", _RESULTS), _RESULTS)
    now = made_from(home, project_id, folder, first_settings(home, project_id))
    if stale := sorted(name for name, digest in now.items() if about.made_from.get(name) != digest):
        said = f"The demo's own run was left out: it was made from other {' and '.join(stale)}."
        with writing(home.engine) as session:
            journal.note(session, project_id, "project", said, home.actor.name)
        return None
    _take_features(home, *shown_items(home, project_id), computed / "features")
    run_id, shipped = new_id(), about.run
    shutil.copytree(computed / "run", home.run_folder(run_id), dirs_exist_ok=True)
    with writing(home.engine) as session:
        job = Job(
            id=run_id,
            kind="training",
            project_id=project_id,
            who=WHO,
            state="finished",
            device=shipped.device,
            created_at=shipped.began,
            started_at=shipped.began,
            ended_at=shipped.ended,
        )
        told = shipped.model_dump(exclude={"config", "device", "began", "ended"})
        config = shipped.config.model_dump(mode="json")
        session.add(Run(id=run_id, job=job, project_id=project_id, config=config, **told))
        said = f"The demo came with the finished run “{shipped.name}” ({run_id}), its evaluation and a map."
        journal.note(session, project_id, "training", said, home.actor.name)
    return run_id


@use_case
def ship_features(home: Home, image_ids: Sequence[str], texts: Sequence[str], reader: str, to: Path) -> None:
    """Write the embeddings that a home has of images, and those that the teacher has of texts, in half precision: half
    the size, and cosines of unit vectors change by less than 1e-4 (`tests/demo/test_demo_results.py`).

    Args:
        reader: the teacher's `weights_hash`. How the student reads texts matters to new maps alone.
        to: a folder; it becomes a feature store of one shard a space.

    Raises:
        RightsError: a path that is not theirs to name.
    """
    import torch
    from safetensors.torch import save_file

    to = nameable(home.actor, to)
    for space in home.features.spaces():
        if space.facts["kind"] == "text" and space.facts["weights"] != reader:
            continue
        if keys := _kept(space, image_ids, texts):
            metadata = {"keys": json.dumps(keys), "facts": json.dumps(space.facts, sort_keys=True)}
            folder = to / space.folder.name
            folder.mkdir(parents=True)
            save_file({"features": space.read(keys).to(torch.float16)}, folder / "rows.safetensors", metadata)


def _take_features(home: Home, image_ids: Sequence[str], texts: Sequence[str], folder: Path) -> None:
    from torch.nn.functional import normalize

    from avion_core.features.shards import FeatureStore

    for space in FeatureStore(folder).spaces():
        own = home.features.space(space.dim, **space.facts)
        if keys := own.missing(_kept(space, image_ids, texts)):
            own.write(keys, normalize(space.read(keys).float(), dim=1))


def _kept(space: Space, image_ids: Sequence[str], texts: Sequence[str]) -> list[str]:
    """The keys of those of some images or texts, whichever it holds, that a space has rows of."""
    from avion_core.features.shards import content_key

    wanted = list(image_ids) if space.facts["kind"] == "image" else [content_key(text) for text in texts]
    lacking = set(space.missing(wanted))
    return [key for key in dict.fromkeys(wanted) if key not in lacking]


@use_case
def shown_items(home: Home, project: str) -> tuple[list[str], list[str]]:
    """What pages look at: the images that are not sealed, and the texts, those of the classes' names among them."""
    data = freeze(home, project)
    sealed, template = set(data.splits.test), first_settings(home, project).model.template
    images = [image for image in data.manifest["image_id"] if image not in sealed]
    return images, [*data.descriptions["text"], *class_texts(data.class_names, list(data.class_names), template)]


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()

"""One run from images to report, read top to bottom: fit a method on a protocol, then measure it.

It knows no database and no screen. It yields events; whoever called it records, shows or ignores them.
A run whose folder holds a training state goes on from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from avion_core.backbones.load import WeightStore
from avion_core.backbones.reading_length import clip_readers
from avion_core.backbones.sentences import cut_sentences
from avion_core.backbones.terms import keep_terms, terms_of
from avion_core.backbones.towers import resolve_precision
from avion_core.config import RunConfig
from avion_core.data.captioned import captioned_part, teaching_captions
from avion_core.data.project import ProjectData
from avion_core.distill.arithmetic import stretches, take_down
from avion_core.errors import ConfigError, TrainingError
from avion_core.features.store import FeatureStore
from avion_core.files import write_json
from avion_core.methods import find_method
from avion_core.methods.bench import Bench
from avion_core.methods.events import Metrics, Saved, Stage, Stopped
from avion_core.methods.method import Task
from avion_core.progress import Progress
from avion_core.protocols import find_protocol
from avion_core.protocols.harness import measure
from avion_core.protocols.report import Report
from avion_core.reading import Subject, fitted, read_json

__all__ = ["Event", "Finished", "Metrics", "Saved", "Stage", "Stopped", "run_experiment"]


_SETTINGS = Subject("the run's settings", ConfigError, "Restore the file from a copy, or start a new run.")


@dataclass(frozen=True)
class Finished:
    """The run is done."""

    summary: dict[str, Any]
    """Its figures, for a record."""
    report: Report = field(compare=False)
    """The run's own rows on the validation images."""


Event = Stage | Metrics | Saved | Stopped | Finished


def run_experiment(
    project: ProjectData,
    config: RunConfig,
    folder: Path,
    *,
    others: Sequence[ProjectData] = (),
    features: FeatureStore,
    weights: WeightStore,
    should_stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
) -> Iterator[Event]:
    """A few labelled images, and curated descriptions where the method reads them -> a fitted method in `folder`.

    Writes config.json, models.json (licences), arithmetic.json and what the method keeps (AVION: see `methods.avion`).

    Args:
        others: the projects that `protocol.projects` names, in its order; they are only measured on.
        features: where embeddings are kept between runs.
        weights: where checkpoints are found.
        should_stop: asked after every step; True saves and ends with Stopped.
        progress: called during the long parts beside the training (embedding, decoding).

    Raises:
        AvionError: anything that keeps the run from starting or going on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _freeze_config(config, folder)
    keep_terms(folder, terms_of(weights.catalog, config.teacher, config.student))
    bench = Bench(config, features=features, weights=weights, device=_device(config.device), progress=progress)
    protocol = find_protocol(config.protocol.name)
    classes = protocol.trained_classes(project.class_names, config)
    task = Task(project, classes, config, bench, folder, should_stop=should_stop)
    protocol.check(config)
    if protocol.by_captions:
        task = _with_captions(task, others)
    else:
        readers = clip_readers(bench.weights, (config.teacher, config.student))
        for data in (project, *others):
            cut_sentences(data.class_names, config.model.template, readers)  # refuses what reads the same
    bench.refuse_prompts(find_method(config.method).step_size(config, 1).image_tokens)
    method = find_method(config.method)(bench, config.options)
    if method.needs.shots and not task.training_images:
        if protocol.by_captions:
            raise TrainingError("there are no training images with captions", "Import a caption file first.")
        raise TrainingError("there are no labelled training images", "Label images of each class first.")

    if not method.needs.backward:  # else the training writes it down, which may go on with what it began with
        take_down(folder, resolve_precision("auto", bench.device), bench.device)
    for event in method.fit(task):
        yield event
        if isinstance(event, Stopped):
            return

    yield Stage("measuring on the validation images")
    parts = [part for part in protocol.parts(project, others, config) if part.images(config, "validation").image_ids]
    report = measure([method], task, parts, "validation")
    metric = "mr" if protocol.by_captions else "accuracy"
    reached = {f"validation_{metric}": next((report.value(part.name, metric) for part in parts if part.trained), None)}
    if not method.needs.backward:
        yield Metrics(1, 1, 1, {name: value for name, value in reached.items() if value is not None})
    steps = method.steps(config, task.training_images) if method.needs.backward else 1
    summary = {"steps": steps, "trained_parameters": method.trained_parameters, **reached}
    summary["arithmetic"] = [stretch.model_dump(mode="json") for stretch in stretches(folder)]
    yield Finished(summary | method.summary(), report)


def _with_captions(task: Task, others: Sequence[ProjectData]) -> Task:
    """The task on the training captions of all projects, watched on the validation captions of its own."""
    seed = task.config.data.seed
    watched = captioned_part(task.project, "validation", seed)
    captioned = teaching_captions([task.project, *others], seed)
    return replace(task, captioned=captioned, watched=watched if watched.image_ids else None)


def _freeze_config(config: RunConfig, folder: Path) -> None:
    """Write the settings, or refuse others than those that the run began with."""
    path = folder / "config.json"
    settings = config.model_dump(mode="json")
    if path.is_file():
        # Through the model: a run of an earlier version lacks settings that came later, and took their defaults.
        kept = fitted(RunConfig, read_json(path, _SETTINGS), _SETTINGS, value=str(path)).model_dump(mode="json")
        if kept != settings:
            changed = sorted(stage for stage in settings if settings[stage] != kept.get(stage))
            raise ConfigError(
                "the settings differ from those the run started with",
                "Resume with the same settings, or start a new run.",
                value=", ".join(changed),
            )
        return
    write_json(path, settings, indent=1)


def _device(name: str) -> str:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device was found", "Set device to cpu or auto, or check the driver.", value=name)
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name

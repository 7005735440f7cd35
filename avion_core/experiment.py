"""One run from images to report, read top to bottom: the paper in about a hundred lines.

It knows no database and no screen. It yields events; whoever called it records, shows or ignores them.
A run whose folder holds a training state goes on from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.projection import fit_procrustes
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers, Towers, resolve_precision
from avion_core.config import RunConfig
from avion_core.data.project import (
    LabelledImages,
    ProjectData,
    class_sets,
    class_texts,
    held_out_images,
    training_images,
)
from avion_core.distill.adapter import load_state, save_adapter, save_state
from avion_core.distill.teacher_side import TeacherSide
from avion_core.distill.trainer import Trainer, TrainingData, TrainingState
from avion_core.errors import ConfigError, TrainingError
from avion_core.features.store import FeatureStore, image_features, prepare_images, text_features
from avion_core.files import write_json
from avion_core.progress import Progress as ProgressCallback
from avion_core.prototypes.judged import grounds_of
from avion_core.prototypes.text_prototypes import TextPrototypes


@dataclass(frozen=True)
class Stage:
    """A part of the run has begun."""

    message: str


@dataclass(frozen=True)
class Metrics:
    """Figures of one step: loss parts by name, warm-up weight, rate, and validation accuracy where it was measured."""

    step: int
    steps: int
    epoch: int
    values: dict[str, float]


@dataclass(frozen=True)
class Saved:
    """A file of the run is complete."""

    kind: str
    path: Path


@dataclass(frozen=True)
class Stopped:
    """The run was asked to stop; its state is saved and it can be resumed."""

    step: int
    steps: int


@dataclass(frozen=True)
class Finished:
    """The run is done; `summary` holds its figures."""

    summary: dict[str, Any]


Event = Stage | Metrics | Saved | Stopped | Finished


def run_experiment(
    project: ProjectData,
    config: RunConfig,
    folder: Path,
    *,
    features: FeatureStore,
    weights: WeightStore,
    should_stop: Callable[[], bool] = lambda: False,
    progress: ProgressCallback | None = None,
) -> Iterator[Event]:
    """Curated descriptions and a few labelled images -> a distilled student in `folder`.

    Writes config.json, prototypes.parquet, teacher.safetensors, adapter.safetensors (the last step's, the
    one that is reported), best.safetensors (the best on validation) and state.safetensors.

    Args:
        features: where embeddings are kept between runs.
        weights: where checkpoints are found.
        should_stop: asked after every step; True saves and ends with Stopped.
        progress: called during the long parts before training (embedding, decoding).

    Raises:
        AvionError: anything that keeps the run from starting or going on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _freeze_config(config, folder)
    device = _device(config.device)
    classes = next(iter(class_sets(project.class_names, config.protocol, config.data.seed).values()))
    shots = training_images(project, config, classes)
    validation = held_out_images(project, config, classes, "validation")
    if not shots.image_ids:
        raise TrainingError("there are no labelled training images", "Label images of each class first.")

    yield Stage("loading the student")
    backbone = load_towers(config.student, weights, device=device)
    if not isinstance(backbone, OpenClipTowers):
        raise ConfigError(
            "this model cannot be a student", "Choose a CLIP of the open_clip kind.", value=config.student
        )

    if not TeacherSide.is_kept(folder):
        yield Stage("loading the teacher")
        teacher = load_towers(config.teacher, weights, device=device)
        yield Stage("teacher embeddings and text prototypes")
        side, prototypes = _teach(project, config, classes, shots, teacher, backbone, features, progress)
        prototypes.full_table().to_parquet(folder / "prototypes.parquet")
        side.save(folder)
        yield Saved("prototypes", folder / "prototypes.parquet")
        del teacher
    side = TeacherSide.load(folder)
    side.demand(backbone, "student")

    yield Stage("decoding the training images")
    pixels, validation_pixels = (
        prepare_images(backbone, project.images(part.image_ids), recipe=project.recipe, progress=progress).to(device)
        for part in (shots, validation)
    )
    precision = (
        torch.bfloat16 if resolve_precision(config.distillation.precision, device) == "bfloat16" else torch.float32
    )
    student = PromptedStudent(backbone, config.model, seed=config.data.seed, precision=precision)
    data = TrainingData(
        pixels=pixels,
        image_ids=shots.image_ids,
        labels=torch.tensor(shots.labels, device=device),
        classes=student.tokenize(class_texts(project.class_names, classes, config.model.template)),
        teacher_images=side.images.to(device),
        teacher_prototypes=side.prototypes.to(device),
        teacher_scale=side.scale,
        validation_pixels=validation_pixels,
        validation_labels=torch.tensor(validation.labels, dtype=torch.long, device=device),
    )
    trainer = Trainer(student, data, config.distillation, projection=side.projection, seed=config.data.seed)
    facts = _facts(project, config, classes, backbone, side)
    state_file = folder / "state.safetensors"
    if state_file.is_file():
        state, _ = load_state(state_file)
        trainer.restore(state)
        yield Stage(f"resuming after step {state.step}")

    def save(state: TrainingState) -> None:
        # The adapters first: a state that stands says that they do.
        save_adapter(folder / "adapter.safetensors", state.learned, facts | {"step": state.step})
        if state.best:
            save_adapter(folder / "best.safetensors", state.best, facts | {"step": state.best_step})
        save_state(state_file, state, facts)

    yield Stage("training")
    for report in trainer.run(should_stop, save):
        yield Metrics(report.step, trainer.steps, report.epoch, report.values)
    if trainer.state.step < trainer.steps:
        yield Stopped(trainer.state.step, trainer.steps)
        return
    yield Saved("adapter", folder / "adapter.safetensors")
    trained = sum(p.numel() for p in student.parameters())
    summary = {
        "steps": trainer.steps,
        "trained_parameters": trained + (trainer.linear.weight.numel() if trainer.linear is not None else 0),
        "validation_accuracy": trainer.state.accuracy,
        "best_validation_accuracy": trainer.state.best_accuracy if trainer.state.best else None,
        "best_step": trainer.state.best_step,
        "projection": config.distillation.projection,
        "projection_rank": side.projection.rank if side.projection else None,
        "projection_agreement": side.projection.agreement if side.projection else None,
    }
    yield Finished(summary)


def _teach(
    project: ProjectData,
    config: RunConfig,
    classes: list[str],
    shots: LabelledImages,
    teacher: Towers,
    backbone: OpenClipTowers,
    features: FeatureStore,
    progress: ProgressCallback | None,
) -> tuple[TeacherSide, TextPrototypes]:
    """Teacher embeddings -> visual prototypes -> text prototypes -> the map to the student's space."""
    images = project.images(shots.image_ids)
    f_t = image_features(teacher, images, features, recipe=project.recipe, progress=progress)  # (N, D_T)
    grounds = grounds_of(project, config, classes, f_t, torch.tensor(shots.labels), teacher, features, progress)
    prototypes = grounds.judged(config.prototypes, config.descriptions)
    projection = None
    if config.distillation.projection == "procrustes":
        kept = prototypes.table["kept"].to_numpy(dtype=bool)
        texts, teacher_texts = list(grounds.candidates["text"][kept]), grounds.embeddings[torch.tensor(kept)]
        if not texts:
            texts, teacher_texts = class_texts(project.class_names, classes, config.model.template), grounds.template
        f_s = image_features(backbone, images, features, recipe=project.recipe, progress=progress)
        g_s = text_features(backbone, texts, features, progress)
        projection = fit_procrustes(f_t, f_s, shots.image_ids, teacher_texts, g_s, texts)
    hashes = teacher.weights_hash, backbone.weights_hash
    return TeacherSide(f_t, prototypes.vectors, teacher.logit_scale, projection, *hashes), prototypes


def _facts(
    project: ProjectData, config: RunConfig, classes: list[str], backbone: OpenClipTowers, side: TeacherSide
) -> dict[str, Any]:
    verdicts = project.descriptions[project.descriptions["verdict"] != "undecided"]
    return {
        "backbone": backbone.name,
        "backbone_hash": backbone.weights_hash,
        "teacher": config.teacher,
        "template": config.model.template,
        "class_names": {key: project.class_names[key] for key in classes},
        "projection": {
            "kind": config.distillation.projection,
            "rank": side.projection.rank if side.projection else None,
        },
        "config": config.model_dump(mode="json"),
        "verdicts": dict(zip(verdicts["description_id"], verdicts["verdict"], strict=True)),
    }


def _freeze_config(config: RunConfig, folder: Path) -> None:
    """Write the settings, or refuse others than those that the run began with."""
    path = folder / "config.json"
    settings = config.model_dump(mode="json")
    if path.is_file():
        kept = json.loads(path.read_text())
        if kept != settings:
            changed = sorted(stage for stage in settings if settings[stage] != kept.get(stage))
            raise ConfigError(
                "the settings differ from those the run began with",
                "Resume with the same settings, or start a new run.",
                value=", ".join(changed),
            )
        return
    write_json(path, settings, indent=1)


def _device(name: str) -> str:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("no CUDA device was found", "Set device to cpu or auto, or check the driver.", value=name)
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name

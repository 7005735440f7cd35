"""Who classifies a picture: a run's student, or a project's teacher before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from avion_core.backbones.load import WeightStore
from avion_core.backbones.towers import Towers
from avion_core.config import RunConfig
from avion_core.data.project import LabelledImages, ProjectData, held_out_images, training_images
from avion_core.errors import DataError
from avion_core.features.store import image_features
from avion_core.jobs.inputs import run_inputs
from avion_core.metrics.calibration import fit_temperature
from avion_core.progress import Progress
from avion_core.protocols import predict as prediction
from avion_core.prototypes.class_vectors import class_vectors
from avion_core.store.home import Home
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.projects.without_pictures import refuse_new_pictures
from avion_core.usecases.runs.trained import run_device, student_run
from avion_core.usecases.runs.views import RunView
from avion_core.wording import counted


@dataclass(frozen=True)
class Classifier:
    """A model with a vector for each of C classes, and the images that tell how far to believe it."""

    towers: Towers
    class_names: dict[str, str]
    """Class key -> prompt name, in the order of `vectors`."""
    vectors: Tensor
    """(C, D), unit norm."""
    inputs: ProjectData
    shots: LabelledImages
    """The training images that it learned from, or that its prototypes did."""
    validation: LabelledImages
    """Labels are positions in `class_names`, here and above."""
    says: str
    """Who it is and what it goes by, in a sentence."""

    @property
    def scale(self) -> float:
        """The factor on cosines."""
        return self.towers.logit_scale

    def embedded(self, home: Home, images: LabelledImages, progress: Progress | None = None) -> Tensor:
        """(N, D) of images of the project; kept by content, so they are computed once."""
        found = self.inputs.images(images.image_ids)
        return image_features(self.towers, found, home.features, recipe=self.inputs.recipe, progress=progress).cpu()


@use_case
def student_classifier(home: Home, run: str) -> Classifier:
    """A run's student, by the classes that it was trained on.

    Raises:
        NotFoundError, TrainingError: no such run, or it trained no student.
    """
    view = student_run(home, run)
    student, inputs = open_student(home, view), run_inputs(home, view.id)
    keys = list(student.class_names)
    return Classifier(
        student.towers,
        student.class_names,
        student.embed_classes(student.class_names).cpu(),
        inputs,
        training_images(inputs, view.config, keys),
        held_out_images(inputs, view.config, keys, "validation"),
        f"By the student of {view.name}.",
    )


@use_case
def teacher_classifier(home: Home, project: str, *, progress: Progress | None = None) -> Classifier:
    """A project's teacher, by its text prototypes under the rules in force; by a class's name where it has none.

    Raises:
        NotFoundError: no such project, or the teacher's weights are not installed.
        DataError: fewer than two classes, or a project made from embeddings.
    """
    summary = get_project(home, project)
    refuse_new_pictures(summary)
    if len(summary.classes) < 2:
        what = "classifying needs two or more classes"
        raise DataError(what, "Add classes on the page Classes.", value=[entry.key for entry in summary.classes])
    config, inputs = run_config(home, summary.id), freeze(home, summary.id)
    towers, wanted = open_towers(home, config.teacher), list(inputs.class_names)
    found = class_vectors(inputs, config, wanted, wanted, towers, home.features, progress)
    keys, by_name = found.class_keys, len(found.class_keys) - found.by_texts
    grounds = []
    if found.by_texts:
        kept = int(found.judged["kept"].sum())
        grounds.append(f"{counted(kept, 'kept description')} of {counted(found.by_texts, 'class', 'classes')}")
    if by_name:
        grounds.append(f"the names of {counted(by_name, 'class', 'classes')} without a usable description")
    return Classifier(
        towers,
        {key: inputs.class_names[key] for key in keys},
        found.vectors,
        inputs,
        training_images(inputs, config, keys),
        held_out_images(inputs, config, keys, "validation"),
        f"By the teacher, untrained: {' and '.join(grounds)}.",
    )


@use_case
def fitted_temperature(home: Home, by: Classifier) -> float | None:
    """What divides a classifier's logits, fitted on the validation images; None where there are too few."""
    if not by.validation.image_ids:
        return None
    logits = by.scale * by.embedded(home, by.validation) @ by.vectors.T
    return fit_temperature(logits, torch.tensor(by.validation.labels))


@use_case
def open_student(home: Home, view: RunView) -> prediction.TrainedStudent:
    """A run's student, opened once per process and step."""
    view = student_run(home, view.id)
    return _open_student(home.weights, view.folder, view.step, view.config.model_dump_json(), run_device(view))


@lru_cache(maxsize=2)
def _open_student(
    weights: WeightStore, folder: Path, _step: int, settings: str, device: str
) -> prediction.TrainedStudent:
    """`_step` is part of the key: a run that was resumed has another student."""
    return prediction.load_student(RunConfig.model_validate_json(settings), folder, weights, device=device)

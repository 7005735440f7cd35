"""Prediction: what a trained student says of new images, what it finds by words, and the student to take along."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from avion_core.data.images import content_id, decode_image, open_image
from avion_core.data.project import LabelledImages, ProjectData, held_out_images, training_images
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import find_pictures, shows_nothing
from avion_core.data.sources import Images, loose_files
from avion_core.distill.student_towers import StudentTowers
from avion_core.errors import DataError
from avion_core.features.store import image_features
from avion_core.jobs.inputs import run_inputs
from avion_core.metrics.calibration import fit_temperature
from avion_core.metrics.novelty import distance_limit
from avion_core.progress import Progress
from avion_core.protocols import predict as prediction
from avion_core.protocols.exported import student_files
from avion_core.reading import Subject, refuse_mark
from avion_core.store.home import Home
from avion_core.store.sources import image_source
from avion_core.usecases.folders import nameable
from avion_core.usecases.insight.odd_pictures import limit_stated, odd_distances, odd_extents
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from avion_core.usecases.runs.trained import run_device, student_run
from avion_core.usecases.runs.views import RunView

NEAREST = 4
Model = Literal["student", "teacher"]


@dataclass(frozen=True)
class Neighbour:
    """A training image that looks like a new one to the student (cosine `similarity`)."""

    path: Path
    class_key: str
    similarity: float


@dataclass(frozen=True)
class Predictions:
    """What a student says of images."""

    table: pd.DataFrame
    """One row per image: path, class_key, prompt_name, probability, margin (to the runner-up), runner_up, trained_on
    (the student was trained on this very image), odd (why a class would say little of it, "" for most), and `p_CLASS`
    per class."""
    nearest: list[list[Neighbour]]
    """For each row its most similar training images."""
    problems: list[str]
    """One sentence for each file that cannot be read, and for each kind of file that is no image here."""
    temperature: float | None
    """What the logits were divided by, fitted on the validation images; None where there are too few, and the
    probabilities are as they come."""
    far_limit: str
    """From where on a picture counts as far from everything known, and what that limit is made from."""


SEARCHED = ("image_id", "path", "class_key", "score")
"""Columns of `Search.table`."""


@dataclass(frozen=True)
class Search:
    """Images by how well they fit a text."""

    table: pd.DataFrame
    """Columns image_id, path, class_key, score (cosine); the best first."""
    searched: int
    """How many images were looked at."""
    sealed: int
    """How many test images were left out."""


class Uploads:
    """Files that came through a browser, on disk for as long as somebody holds this object."""

    def __init__(self, files: Sequence[tuple[str, bytes]]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="avion-upload-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.names = [name for name, _ in files]
        self.paths = []
        for place, (name, content) in enumerate(files):
            # The name is the visitor's and messages speak of it: what could lead out of the folder is taken from it.
            stem = re.sub(r"[^\w .,()+-]+", "-", Path(name).stem)[:60].strip(".")
            path = folder / f"{place:04d}" / f"{stem or 'image'}{Path(name).suffix.lower()}"
            path.parent.mkdir()
            path.write_bytes(content)
            self.paths.append(path)


@use_case
def image_files(home: Home, paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Image files of this machine, and the images of its folders, in order; and what lies there and is left out.

    A folder is read by the rule of a project's: the same kinds of files, without thumbnails and a system's own folders.

    Raises:
        RightsError: a path that is not theirs to name.
        DataError: a path that is not there, or a folder without images.
    """
    found = [_image_files(nameable(home.actor, path)) for path in paths]
    return [file for files, _ in found for file in files], [said for _, left_out in found for said in left_out]


def fingerprint(files: Sequence[Path]) -> str:
    """What tells whether files are still the same: their paths, sizes and times."""
    facts = [(str(file), stat.st_size, stat.st_mtime_ns) for file in files for stat in (file.stat(),)]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


@use_case
def predict(home: Home, run: str, images: Uploads | Sequence[Path], *, progress: Progress | None = None) -> Predictions:
    """Classify images with a trained student, through the project's rendering recipe.

    Args:
        images: what came through a browser, or this machine's own image files and folders of images.

    Raises:
        RightsError: this machine's own files, for somebody who may not change projects or name that path.
        NotFoundError, TrainingError: no such run, or it has not been trained yet.
        DataError: a path that is not there, a folder without images, or no file that can be decoded.
    """
    files, left_out = (images.paths, []) if isinstance(images, Uploads) else image_files(home, images)
    view = student_run(home, run)
    student, inputs = open_student(home, view), run_inputs(home, view.id)
    features, readable, problems = _embedded(student, files, inputs.recipe, progress)
    temperature = _temperature(home, view, student, inputs)
    table = prediction.classify(student, features, temperature=temperature or 1.0)
    table = table.rename(columns={"predicted": "class_key"})
    table.insert(0, "path", [str(path) for path in readable])
    table.insert(2, "prompt_name", [student.class_names[key] for key in table["class_key"]])
    shots = training_images(inputs, view.config, list(student.class_names))
    table.insert(6, "trained_on", [content_id(path) in set(shots.image_ids) for path in readable])
    held_out = held_out_images(inputs, view.config, list(student.class_names), "validation")
    known = [_features(home, student, inputs, images, progress) for images in (held_out, shots)]
    limit = distance_limit(*known)
    extents = odd_extents(readable, inputs.manifest, inputs.recipe, inputs.images(shots.image_ids).files)
    far = odd_distances(features, torch.cat(known), limit)
    table.insert(7, "odd", [" ".join(filter(None, (*said, away))) for said, away in zip(extents, far, strict=True)])
    problems += _blackened(readable, inputs.recipe)
    nearest = _nearest(student, inputs, shots, features, known[1])
    return Predictions(table, nearest, [*left_out, *problems], temperature, limit_stated(limit))


@use_case
def search(
    home: Home, run: str, text: str, model: Model = "student", *, limit: int = 48, progress: Progress | None = None
) -> Search:
    """The project's images that fit a text best, as a run's student or its teacher sees them.

    Sealed test images are left out: who looks at them tunes on them.

    Raises:
        NotFoundError, TrainingError: no such run, or it has not been trained yet.
        DataError: no words.
    """
    if not text.strip():
        raise DataError("the search text is empty", "Type what the images should show.", value=text)
    refuse_mark(text, Subject("the search text", hint="Leave it out."))
    view = student_run(home, run)
    summary = get_project(home, view.project_id)
    manifest = read_manifest(home, summary.id)
    sealed = manifest["image_id"].isin(read_splits(home, summary.id).test)
    shown = manifest[~sealed]
    images = Images(shown["image_id"].tolist(), image_source(home, summary.id))
    if model == "teacher":
        towers = open_towers(home, view.config.teacher)
    else:
        towers = StudentTowers(open_student(home, view).student)
    features = image_features(towers, images, home.features, recipe=summary.recipe, progress=progress).cpu()
    scores = features @ towers.encode_text([text.strip()])[0].cpu()
    best = scores.argsort(descending=True)[:limit].tolist()
    table = pd.DataFrame(
        {
            "image_id": [images.ids[place] for place in best],
            "path": [str(images.source.file(images.ids[place])) for place in best],
            "class_key": shown["label"].iloc[best].tolist(),
            "score": scores[best].tolist(),
        },
        columns=list(SEARCHED),
    )
    return Search(table, len(images), int(sealed.sum()))


@use_case
def export_student(home: Home, run: str) -> bytes:
    """A run's student as a zip of the files that `protocols.exported` loads.

    Raises:
        NotFoundError, TrainingError: no such run, or it has not been trained yet.
    """
    view = student_run(home, run)
    student, inputs = open_student(home, view), run_inputs(home, view.id)
    temperature = _temperature(home, view, student, inputs)
    files = student_files(view.config, view.folder, inputs.recipe, temperature, student.class_names)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return archive.getvalue()


@use_case
def open_student(home: Home, view: RunView) -> prediction.TrainedStudent:
    """A run's student, opened once per process and step."""
    return _open_student(home, view.id, view.step)


@lru_cache(maxsize=2)
def _open_student(home: Home, run: str, _step: int) -> prediction.TrainedStudent:
    """`_step` is part of the key: a run that was resumed has another student."""
    view = student_run(home, run)
    return prediction.load_student(view.config, view.folder, home.weights, device=run_device(view))


def _embedded(
    student: prediction.TrainedStudent, files: list[Path], recipe: RenderingRecipe, progress: Progress | None
) -> tuple[Tensor, list[Path], list[str]]:
    """Features (N, D_S) of the files that can be read, those files, and a sentence for each of the others."""
    parts, readable, problems = [], [], []
    for start in range(0, len(files), prediction.CHUNK):
        part = files[start : start + prediction.CHUNK]
        try:
            parts.append(student.embed_images(loose_files(part), recipe))
        except DataError:
            part, unreadable = _apart(part, recipe)
            problems += unreadable
            parts.append(student.embed_images(loose_files(part), recipe))
        readable += part
        if progress is not None:
            progress(min(start + prediction.CHUNK, len(files)), len(files), "classified images")
    if not readable:
        raise DataError("no image can be read", problems[0] if problems else "Give at least one image file.")
    return torch.cat(parts), readable, problems


def _apart(files: list[Path], recipe: RenderingRecipe) -> tuple[list[Path], list[str]]:
    readable, problems = [], []
    for file in files:
        try:
            open_image(file, recipe)
            readable.append(file)
        except (DataError, OSError) as error:
            problems.append(f"{file.name}: {error}")
    return readable, problems


def _blackened(files: list[Path], recipe: RenderingRecipe) -> list[str]:
    """A sentence for each file that a stretch turns into one colour; a recipe that knows its depth does not do that."""
    if recipe.low is None or recipe.depth is not None:
        return []
    told = ((file, shows_nothing(decode_image(file, recipe), recipe)) for file in files)
    return [f"{file.name}: {said}" for file, said in told if said]


def _temperature(home: Home, view: RunView, student: prediction.TrainedStudent, inputs: ProjectData) -> float | None:
    """Fitted on the run's validation images, on which nothing was trained."""
    keys = list(student.class_names)
    images = held_out_images(inputs, view.config, keys, "validation")
    if not images.image_ids:
        return None
    features = _features(home, student, inputs, images)
    logits = student.student.logit_scale.exp().item() * features @ student.embed_classes(student.class_names).cpu().T
    return fit_temperature(logits, torch.tensor(images.labels))


def _nearest(
    student: prediction.TrainedStudent, inputs: ProjectData, shots: LabelledImages, features: Tensor, taught: Tensor
) -> list[list[Neighbour]]:
    """Of features (N, D) among those of the shots, `taught` (S, D)."""
    keys = list(student.class_names)
    paths = inputs.images(shots.image_ids).files
    similarity = features @ taught.T  # (N, S)
    top = similarity.topk(min(NEAREST, len(paths)), dim=1)
    return [
        [Neighbour(paths[place], keys[shots.labels[place]], score) for place, score in zip(places, scores, strict=True)]
        for places, scores in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]


def _features(
    home: Home,
    student: prediction.TrainedStudent,
    inputs: ProjectData,
    images: LabelledImages,
    progress: Progress | None = None,
) -> Tensor:
    towers, files = StudentTowers(student.student), inputs.images(images.image_ids)
    return image_features(towers, files, home.features, recipe=inputs.recipe, progress=progress).cpu()


def _image_files(path: Path) -> tuple[list[Path], list[str]]:
    if path.is_dir():
        found, problems = find_pictures(path)
        return [path / name for name in found], [f"{path / problem.path}: {problem.message}" for problem in problems]
    if not path.is_file():
        raise DataError("the image was not found", "Check the path.", value=str(path))
    return [path], []

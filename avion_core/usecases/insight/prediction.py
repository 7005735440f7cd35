"""Prediction: what a trained student, or the teacher before any training, says of new images; the student as a file."""

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
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from avion_core.backbones.terms import read_terms
from avion_core.data.images import content_id, decode_image, open_image
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import find_pictures, shows_nothing
from avion_core.data.sources import loose_files
from avion_core.errors import DataError
from avion_core.metrics.novelty import distance_limit
from avion_core.progress import Progress
from avion_core.protocols import predict as prediction
from avion_core.protocols.exported import student_files
from avion_core.store.home import Home
from avion_core.usecases.folders import nameable
from avion_core.usecases.insight.classifiers import (
    Classifier,
    fitted_temperature,
    student_classifier,
    teacher_classifier,
)
from avion_core.usecases.insight.odd_pictures import limit_stated, odd_distances, odd_extents
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.trained import student_run

NEAREST = 4


@dataclass(frozen=True)
class Neighbour:
    """A training image that looks like a new one to the model (cosine `similarity`)."""

    path: Path
    class_key: str
    similarity: float


@dataclass(frozen=True)
class Predictions:
    """What a student, or the teacher, says of images."""

    table: pd.DataFrame
    """One row per image: path, class_key, prompt_name, probability, margin (to the runner-up), runner_up, trained_on
    (it is one of the training images), odd (why a class would say little of it, "" for most), and `p_CLASS` per
    class."""
    nearest: list[list[Neighbour]]
    """For each row its most similar training images."""
    problems: list[str]
    """One sentence for each file that cannot be read, and for each kind of file that is no image here."""
    temperature: float | None
    """What the logits were divided by, fitted on the validation images; None where there are too few, and the
    probabilities are as they come."""
    far_limit: str
    """From where on a picture counts as far from everything known, and what that limit is made from."""
    says: str
    """Who classified, and by what, in a sentence."""


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
    files, left_out = _files(home, images)
    return _predicted(home, student_classifier(home, run), files, left_out, progress)


@use_case
def predict_with_teacher(
    home: Home, project: str, images: Uploads | Sequence[Path], *, progress: Progress | None = None
) -> Predictions:
    """Classify images with a project's teacher, before anything is trained (see `prototypes.class_vectors`).

    Embeddings of the project's texts and training images that are not there yet are computed.

    Args:
        images: as `predict`.

    Raises:
        RightsError: as `predict`.
        NotFoundError: no such project, or the teacher's weights are not installed.
        DataError: as `predict`; or fewer than two classes, or a project made from embeddings.
    """
    files, left_out = _files(home, images)
    return _predicted(home, teacher_classifier(home, project, progress=progress), files, left_out, progress)


@use_case
def export_student(home: Home, run: str) -> bytes:
    """A run's student as a zip of the files that `protocols.exported` loads.

    Raises:
        NotFoundError, TrainingError: no such run, or it has not been trained yet.
    """
    view, by = student_run(home, run), student_classifier(home, run)
    terms = read_terms(view.folder, home.models, view.config.teacher, view.config.student)
    files = student_files(
        view.config, view.folder, by.inputs.recipe, fitted_temperature(home, by), by.class_names, terms
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return archive.getvalue()


def _files(home: Home, images: Uploads | Sequence[Path]) -> tuple[list[Path], list[str]]:
    return (images.paths, []) if isinstance(images, Uploads) else image_files(home, images)


def _predicted(
    home: Home, by: Classifier, files: list[Path], left_out: list[str], progress: Progress | None
) -> Predictions:
    recipe, keys = by.inputs.recipe, list(by.class_names)
    features, readable, problems = _embedded(by, files, recipe, progress)
    temperature = fitted_temperature(home, by)
    table = prediction.class_table(features, by.vectors, keys, by.scale / (temperature or 1.0))
    table = table.rename(columns={"predicted": "class_key"})
    table.insert(0, "path", [str(path) for path in readable])
    table.insert(2, "prompt_name", [by.class_names[key] for key in table["class_key"]])
    shots = set(by.shots.image_ids)
    table.insert(6, "trained_on", [content_id(path) in shots for path in readable])
    known = [by.embedded(home, images, progress) for images in (by.validation, by.shots)]
    limit = distance_limit(*known)
    extents = odd_extents(readable, by.inputs.manifest, recipe, by.inputs.images(by.shots.image_ids).files)
    far = odd_distances(features, torch.cat(known), limit)
    table.insert(7, "odd", [" ".join(filter(None, (*said, away))) for said, away in zip(extents, far, strict=True)])
    problems += _blackened(readable, recipe)
    nearest = _nearest(by, features, known[1])
    return Predictions(table, nearest, [*left_out, *problems], temperature, limit_stated(limit), by.says)


def _embedded(
    by: Classifier, files: list[Path], recipe: RenderingRecipe, progress: Progress | None
) -> tuple[Tensor, list[Path], list[str]]:
    """Features (N, D) of the files that can be read, those files, and a sentence for each of the others."""
    parts, readable, problems = [], [], []
    for start in range(0, len(files), prediction.CHUNK):
        part = files[start : start + prediction.CHUNK]
        try:
            parts.append(prediction.embed_images(by.towers, loose_files(part), recipe))
        except DataError:
            part, unreadable = _apart(part, recipe)
            problems += unreadable
            parts.append(prediction.embed_images(by.towers, loose_files(part), recipe))
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


def _nearest(by: Classifier, features: Tensor, taught: Tensor) -> list[list[Neighbour]]:
    """Of features (N, D) among those of the shots, `taught` (S, D)."""
    keys, paths = list(by.class_names), by.inputs.images(by.shots.image_ids).files
    if not paths:
        return [[] for _ in features]
    top = (features @ taught.T).topk(min(NEAREST, len(paths)), dim=1)
    return [
        [
            Neighbour(paths[place], keys[by.shots.labels[place]], score)
            for place, score in zip(places, scores, strict=True)
        ]
        for places, scores in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]


def _image_files(path: Path) -> tuple[list[Path], list[str]]:
    if path.is_dir():
        found, problems = find_pictures(path)
        return [path / name for name in found], [f"{path / problem.path}: {problem.message}" for problem in problems]
    if not path.is_file():
        raise DataError("the image was not found", "Check the path.", value=str(path))
    return [path], []

"""A model at work: classes for new images, by a trained student or by whatever has a vector for each class."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import ImageTower, OpenClipTowers, resolve_precision
from avion_core.config import RunConfig
from avion_core.data.project import class_texts
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.sources import Images, loose_files
from avion_core.distill.adapter import load_adapter, load_class_means
from avion_core.distill.class_means import ClassMeans
from avion_core.distill.student_towers import StudentTowers
from avion_core.errors import ConfigError, DataError
from avion_core.features.store import prepare_images
from avion_core.progress import Progress

CHUNK = 256


@dataclass(frozen=True)
class TrainedStudent:
    """A run's student, ready to use on any class names."""

    student: PromptedStudent
    class_names: dict[str, str]
    """Class key -> prompt name, as it was trained."""
    template: str
    """The sentence around a name."""
    means: ClassMeans | None = None
    """What joins the texts of the classes it was trained on, where its settings say so."""

    def embed_classes(self, class_names: dict[str, str]) -> Tensor:
        """Class vectors -> (C, D_S), unit norm: the texts, with the means of the shots where there are any."""
        texts = class_texts(class_names, list(class_names), self.template)
        with torch.no_grad():
            g = self.student.encode_text(self.student.tokenize(texts))
        return g if self.means is None else self.means.added_to(g, class_names)

    @cached_property
    def towers(self) -> StudentTowers:
        """The student as a pair of towers; its weights are hashed once."""
        return StudentTowers(self.student)

    def embed_images(self, images: Images, recipe: RenderingRecipe, progress: Progress | None = None) -> Tensor:
        """Images -> (N, D_S), unit norm (see `embed_images`)."""
        return embed_images(self.towers, images, recipe, progress)


def embed_images(
    tower: ImageTower, images: Images, recipe: RenderingRecipe, progress: Progress | None = None
) -> Tensor:
    """Images -> float32 (N, D), unit norm; decoded and embedded a part at a time, and not kept.

    Raises:
        DataError: an image that cannot be decoded; names the file.
    """
    precision = resolve_precision("auto", tower.device)
    parts = [torch.empty(0, tower.dim)]
    for start in range(0, len(images), CHUNK):
        pixels = prepare_images(tower, images[start : start + CHUNK], recipe=recipe)
        parts += [tower.encode_image(some, precision).cpu() for some in pixels.split(64)]
        if progress is not None:
            progress(min(start + CHUNK, len(images)), len(images), "image embeddings")
    return torch.cat(parts)


def load_student(config: RunConfig, folder: Path, weights: WeightStore, *, device: str = "cpu") -> TrainedStudent:
    """The student that a run trained (its last step, the one that is reported)."""
    backbone = load_towers(config.student, weights, device=device)
    if not isinstance(backbone, OpenClipTowers):
        raise ConfigError(
            "this model cannot be a student",
            "Choose a CLIP model from open_clip, such as demo-student.",
            value=config.student,
        )
    path = folder / "adapter.safetensors"
    student, facts = load_adapter(path, backbone)
    return TrainedStudent(student, facts["class_names"], facts["template"], load_class_means(path))


def predict(
    trained: TrainedStudent,
    images: list[Path],
    recipe: RenderingRecipe,
    *,
    class_names: dict[str, str] | None = None,
    temperature: float = 1.0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Classify image files.

    Args:
        class_names: other classes than the trained ones, class key -> prompt name.
        temperature: softens (above 1) or sharpens the probabilities (see `metrics.calibration.fit_temperature`).

    Returns:
        One row per image: path, and what `classify` gives.

    Raises:
        DataError: no image, or one that cannot be decoded.
    """
    features = trained.embed_images(loose_files(images), recipe, progress)
    table = classify(trained, features, class_names=class_names, temperature=temperature)
    table.insert(0, "path", [str(path) for path in images])
    return table


def classify(
    trained: TrainedStudent,
    features: Tensor,
    *,
    class_names: dict[str, str] | None = None,
    temperature: float = 1.0,
) -> pd.DataFrame:
    """Classes of images that the student has embedded, (N, D_S) of unit norm.

    Returns:
        One row per image: predicted (class key), probability, margin (to the runner-up), runner_up, and a column
        `p_<class key>` per class.

    Raises:
        DataError: no image, or fewer than two classes.
    """
    if not len(features):
        raise DataError("there is no image to classify", "Give at least one image file.")
    names = class_names or trained.class_names
    keys = list(names)
    if len(keys) < 2:
        raise DataError("a prediction needs two or more classes", "Name at least two classes.", value=keys)
    scale = trained.student.logit_scale.exp().item()
    return class_table(features, trained.embed_classes(names).cpu(), keys, scale / temperature)


def class_table(features: Tensor, vectors: Tensor, class_keys: Sequence[str], scale: float) -> pd.DataFrame:
    """Classes of images by the cosines with a vector for each class.

    Args:
        features: (N, D). vectors: (C, D), C >= 2. Both of unit norm.
        scale: the factor on cosines.

    Returns:
        As `classify`.
    """
    probabilities = (scale * features.cpu() @ vectors.T).softmax(1)
    top = probabilities.topk(2, dim=1)
    table = pd.DataFrame(
        {
            "predicted": [class_keys[i] for i in top.indices[:, 0].tolist()],
            "probability": top.values[:, 0].tolist(),
            "margin": (top.values[:, 0] - top.values[:, 1]).tolist(),
            "runner_up": [class_keys[i] for i in top.indices[:, 1].tolist()],
        }
    )
    shares = pd.DataFrame(probabilities.numpy(), columns=[f"p_{key}" for key in class_keys])
    return pd.concat([table, shares], axis=1)

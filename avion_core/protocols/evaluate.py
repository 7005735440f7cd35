"""A finished run measured: AVION beside its zero-shot and the baselines, on validation or on the sealed test set.

docs/method.md section 7. All figures in percent. `few-shot` gives one part over all classes; `base-to-novel`
gives base images among base classes, novel images among novel classes, and their harmonic mean.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import OpenClipTowers, Towers
from avion_core.config import RunConfig
from avion_core.data.project import (
    LabelledImages,
    ProjectData,
    class_sets,
    class_texts,
    held_out_images,
    training_images,
)
from avion_core.distill.adapter import load_adapter
from avion_core.distill.teacher_side import TeacherSide
from avion_core.distill.trainer import predict_logits
from avion_core.errors import ConfigError, DataError
from avion_core.features.store import FeatureStore, image_features, prepare_images, text_features
from avion_core.metrics.accuracy import accuracy, confusion, harmonic_mean, macro_accuracy, macro_f1, per_class
from avion_core.metrics.calibration import expected_calibration_error, fit_temperature
from avion_core.progress import Progress
from avion_core.protocols.baselines import class_mean, linear_probe

TIMED_IMAGES = 64


@dataclass(frozen=True)
class _Part:
    """One set of classes to measure on, with everything that all methods share. C classes, T test images."""

    classes: list[str]
    texts: list[str]
    images: LabelledImages
    labels: Tensor


def evaluate(
    project: ProjectData,
    config: RunConfig,
    folder: Path,
    split: str = "validation",
    *,
    features: FeatureStore,
    weights: WeightStore,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a finished run.

    Args:
        folder: the run's folder, with its adapter and teacher side.
        split: "validation" (min(K, 4) images a class) or "test" (the sealed set; the caller counts the looks).

    Returns:
        few-shot: accuracy, macro_accuracy, macro_f1, calibration_error of AVION; zero_shot_, class_mean_,
        class_mean_text_ and linear_probe_accuracy of the student; teacher_zero_shot_, teacher_class_mean_,
        teacher_linear_probe_ and teacher_prototype_accuracy; seconds per 1,000 images of both; images, class_keys,
        per_class (rows), confusion (C x C) and predictions (a row per image, see `_predictions`); temperature, fitted
        on the validation images (None where there are too few), and on the test set calibrated_error, the calibration
        error with it (on validation it would be measured on what it was fitted to, so it is not given).
        base-to-novel: base_accuracy, novel_accuracy, harmonic_mean and the same with zero_shot_ and
        teacher_zero_shot_ in front; per_class, confusion and predictions of each part under `base` and `novel`.

    Raises:
        AvionError: an unfinished run, another backbone, or images that are gone.
    """
    backbone = load_towers(config.student, weights, device=device)
    if not isinstance(backbone, OpenClipTowers):
        raise ConfigError("this model cannot be a student", "Choose an open_clip CLIP.", value=config.student)
    student, _ = load_adapter(folder / "adapter.safetensors", backbone)
    teacher = load_towers(config.teacher, weights, device=device)
    side = TeacherSide.load(folder)
    side.demand(teacher, "teacher")
    sets = class_sets(project.class_names, config.protocol, config.data.seed)
    measured = {
        name: _measure(
            project, config, side, classes, split, student, teacher, features, progress, trained=name != "novel"
        )
        for name, classes in sets.items()
    }
    result: dict[str, Any] = {"protocol": config.protocol.name, "split": split, "shots": config.data.shots}
    result |= {"seed": config.data.seed, **_speed(project, config, backbone, teacher, sets, split)}
    if "all" in measured:
        return result | measured["all"]
    for prefix in ("", "zero_shot_", "teacher_zero_shot_"):
        base, novel = (measured[part][f"{prefix}accuracy"] for part in ("base", "novel"))
        result[f"{prefix}base_accuracy"], result[f"{prefix}novel_accuracy"] = base, novel
        result[f"{prefix}harmonic_mean"] = harmonic_mean(base, novel)
    return result | measured


def _measure(
    project: ProjectData,
    config: RunConfig,
    side: TeacherSide,
    classes: list[str],
    split: str,
    student: PromptedStudent,
    teacher: Towers,
    features: FeatureStore,
    progress: Progress | None,
    *,
    trained: bool,
) -> dict[str, Any]:
    """All rows on one set of classes; those that need training images only where there are some."""
    backbone = student.backbone
    images = held_out_images(project, config, classes, split)
    if not images.image_ids:
        raise DataError(f"there are no {split} images of these classes", "Label more images.", value=", ".join(classes))
    part = _Part(
        classes,
        class_texts(project.class_names, classes, config.model.template),
        images,
        torch.tensor(images.labels),
    )
    paths = project.images(images.image_ids)
    pixels = prepare_images(backbone, paths, recipe=project.recipe, progress=progress)
    tokens = student.tokenize(part.texts)
    logits = predict_logits(student, pixels, tokens).cpu()
    matrix = confusion(logits.argmax(1), part.labels, len(classes))
    probabilities = logits.softmax(1)
    validation = held_out_images(project, config, classes, "validation")
    validation_labels = torch.tensor(validation.labels, dtype=torch.long)
    if split == "validation":
        temperature = fit_temperature(logits, validation_labels)
    else:
        views = prepare_images(backbone, project.images(validation.image_ids), recipe=project.recipe)
        temperature = fit_temperature(predict_logits(student, views, tokens).cpu(), validation_labels)
    f_s = image_features(backbone, paths, features, recipe=project.recipe, progress=progress)
    g_s = text_features(backbone, part.texts, features)
    f_t = image_features(teacher, paths, features, recipe=project.recipe, progress=progress)
    g_t = text_features(teacher, part.texts, features)
    result: dict[str, Any] = {
        "accuracy": accuracy(matrix),
        "macro_accuracy": macro_accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        "calibration_error": expected_calibration_error(probabilities, part.labels),
        "zero_shot_accuracy": _percent_right(f_s @ g_s.T, part.labels),
        "teacher_zero_shot_accuracy": _percent_right(f_t @ g_t.T, part.labels),
        "images": len(part.labels),
        "class_keys": classes,
        "per_class": per_class(matrix, classes).to_dict("records"),
        "confusion": matrix.tolist(),
        "predictions": _predictions(part, probabilities, (f_s @ g_s.T).argmax(1)),
        "temperature": temperature,
    }
    if split == "test" and temperature is not None:
        result["calibrated_error"] = expected_calibration_error((logits / temperature).softmax(1), part.labels)
    if not trained:
        return result
    shots = training_images(project, config, classes)
    labels = torch.tensor(shots.labels)
    for prefix, towers, test, text in (("", backbone, f_s, g_s), ("teacher_", teacher, f_t, g_t)):
        train, held_out = (
            image_features(towers, project.images(some.image_ids), features, recipe=project.recipe, progress=progress)
            for some in (shots, validation)
        )
        means = class_mean(train, labels, classes)
        with_text = class_mean(train, labels, classes, text)
        result[f"{prefix}class_mean_accuracy"] = _percent_right(test @ means.T, part.labels)
        result[f"{prefix}class_mean_text_accuracy"] = _percent_right(test @ with_text.T, part.labels)
        # On the validation images themselves it gets none to choose its penalty on: AVION's step was not chosen either.
        chosen_on = (held_out[:0], validation_labels[:0]) if split == "validation" else (held_out, validation_labels)
        guess = linear_probe(train, labels, *chosen_on, test)
        result[f"{prefix}linear_probe_accuracy"] = accuracy(confusion(guess, part.labels, len(classes)))
    result["teacher_prototype_accuracy"] = _percent_right(f_t @ side.prototypes.T, part.labels)
    return result


def _percent_right(logits: Tensor, labels: Tensor) -> float:
    return 100 * (logits.argmax(1) == labels).double().mean().item()


def _predictions(part: _Part, probabilities: Tensor, zero_shot: Tensor) -> list[dict[str, Any]]:
    """One row per image: what it is, what it was taken for, how surely, and what the untrained student says."""
    top, guess = probabilities.max(1)
    return [
        {
            "image_id": image,
            "class_key": part.classes[label],
            "predicted": part.classes[int(guess[row])],
            "probability": float(top[row]),
            "true_probability": float(probabilities[row, label]),
            "correct": label == int(guess[row]),
            "zero_shot": part.classes[int(zero_shot[row])],
        }
        for row, (image, label) in enumerate(zip(part.images.image_ids, part.images.labels, strict=True))
    ]


def _speed(
    project: ProjectData,
    config: RunConfig,
    backbone: OpenClipTowers,
    teacher: Towers,
    sets: dict[str, list[str]],
    split: str,
) -> dict[str, float]:
    """Seconds per 1,000 images of both image encoders on decoded pixels, at this moment on this machine."""
    classes = next(iter(sets.values()))
    paths = project.images(held_out_images(project, config, classes, split).image_ids[:TIMED_IMAGES])
    seconds = {}
    for name, towers in (("student", backbone), ("teacher", teacher)):
        pixels = prepare_images(towers, paths, recipe=project.recipe)
        towers.encode_image(pixels[:8])
        start = time.perf_counter()
        towers.encode_image(pixels)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds[f"{name}_seconds_per_1000"] = 1000 * (time.perf_counter() - start) / len(paths)
    return seconds

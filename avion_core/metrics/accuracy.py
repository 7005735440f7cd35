"""Accuracy of predictions: micro, macro, F1, and per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from avion_core.errors import DataError

NORMAL_95 = 1.959963984540054


def confusion(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """(C, C) counts: row = true class, column = predicted class.

    Args:
        predictions, labels: (N,) integers in [0, classes).
    """
    predictions, labels = torch.as_tensor(predictions).long(), torch.as_tensor(labels).long()
    if predictions.shape != labels.shape or predictions.ndim != 1 or len(labels) == 0:
        raise DataError(
            "predictions and labels do not fit together",
            "Give one prediction for each of at least one label.",
            value=f"{tuple(predictions.shape)} and {tuple(labels.shape)}",
        )
    low, high = min(predictions.min(), labels.min()), max(predictions.max(), labels.max())
    if low < 0 or high >= classes:
        raise DataError(
            "a class position is out of range",
            f"Positions go from 0 to {classes - 1}.",
            value=int(low if low < 0 else high),
        )
    return torch.bincount(labels * classes + predictions, minlength=classes * classes).reshape(classes, classes)


def accuracy(matrix: Tensor) -> float:
    """Micro accuracy in percent: correct images / images. `matrix` (C, C) is a confusion matrix."""
    return 100.0 * (matrix.trace().double() / matrix.sum()).item()


def macro_accuracy(matrix: Tensor) -> float:
    """Mean over classes of the share found, in percent; classes without images do not count."""
    return macro_accuracy_of(matrix.diagonal(), matrix.sum(1)).item()


def macro_f1(matrix: Tensor) -> float:
    """Mean over classes of F1 = 2 TP / (2 TP + FP + FN), in percent.

    Classes neither present nor predicted do not count.
    """
    return macro_f1_of(matrix.diagonal(), matrix.sum(1), matrix.sum(0)).item()


def macro_accuracy_of(right: Tensor, present: Tensor) -> Tensor:
    """`macro_accuracy` from the counts of images classified right and present in each class, (..., C) -> (...)."""
    return _mean_percent(right, present)


def macro_f1_of(right: Tensor, present: Tensor, predicted: Tensor) -> Tensor:
    """`macro_f1` from the counts of images right, present and predicted of each class, (..., C) -> (...)."""
    return _mean_percent(2 * right, present + predicted)


def _mean_percent(part: Tensor, whole: Tensor) -> Tensor:
    """100 times the mean over the last dimension of part / whole, where whole is not 0."""
    counts = whole > 0
    return 100.0 * (part.double() / whole.clamp(min=1)).where(counts, 0.0).sum(-1) / counts.sum(-1)


def per_class(matrix: Tensor, class_keys: Sequence[str]) -> pd.DataFrame:
    """One row per class: class_key, images, correct, accuracy with its 95 % Wilson interval (low, high), precision, f1.

    All in percent; a figure that would divide by zero is NaN.
    """
    rows: list[dict[str, Any]] = []
    for index, key in enumerate(class_keys):
        images, correct = int(matrix[index].sum()), int(matrix[index, index])
        predicted = int(matrix[:, index].sum())
        low, high = wilson_interval(correct, images)
        rows.append(
            {
                "class_key": key,
                "images": images,
                "correct": correct,
                "accuracy": _percent(correct, images),
                "low": low,
                "high": high,
                "precision": _percent(correct, predicted),
                "f1": _percent(2 * correct, images + predicted),
            }
        )
    return pd.DataFrame(rows)


def wilson_interval(correct: float, images: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share, in percent; NaN without images.

    Args:
        correct: how many are right; a mean over draws need not be whole.
    """
    if images == 0:
        return math.nan, math.nan
    share, z2 = correct / images, NORMAL_95**2
    centre = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / images + z2 / (4 * images**2)) / (1 + z2 / images)
    return 100.0 * max(0.0, centre - half), 100.0 * min(1.0, centre + half)


def paired_change(before: Tensor, after: Tensor) -> tuple[float, float, float]:
    """What changed on the same images: (change, low, high) of the share that is right, in percentage points.

    The 95 % interval is the adjusted Wald interval for paired shares (Agresti and Min, 2005): half an image is added
    to each of the four outcomes, so that it is honest for few images too. NaN without images. Of something that was
    drawn by chance several times, an image counts by the share of draws in which it was right, and the variance
    between draws is added.

    Args:
        before, after: (N,) whether each image was right, or (R, N) in each of R draws.
    """
    before, after = _draws(before), _draws(after)
    if before.shape[1] != after.shape[1]:
        raise DataError(
            "a change is measured on the same images",
            "Give both for the same images, in the same order.",
            value=f"{before.shape[1]} and {after.shape[1]}",
        )
    images = before.shape[1]
    if images == 0:
        return math.nan, math.nan, math.nan
    difference, total = after.mean(0) - before.mean(0), images + 2
    centre = difference.sum().item() / total
    variance = ((difference.square().sum().item() + 1) / total - centre**2) / total
    for draws in (before, after):
        if len(draws) > 1:
            variance += draws.mean(1).var().item() / len(draws)
    half = NORMAL_95 * math.sqrt(variance)
    change = 100.0 * difference.mean().item()
    return change, 100.0 * max(-1.0, centre - half), 100.0 * min(1.0, centre + half)


def _draws(right: Tensor) -> Tensor:
    """(R, N) float64 of (N,) or (R, N)."""
    right = torch.as_tensor(right).double()
    return right[None] if right.ndim == 1 else right


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else math.nan

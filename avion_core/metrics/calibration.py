"""Does a confidence of 80 % mean 80 % correct?"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from avion_core.errors import DataError
from avion_core.metrics.accuracy import wilson_interval

BINS = 15
FEWEST_TO_FIT = 30
_SHARPEST = 20.0  # temperatures are sought between 1/20 and 20


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """ECE = sum_b (n_b / N) |accuracy_b - confidence_b| over equal-width bins of the top probability, in percent.

    Args:
        probabilities: (N, C), rows sum to 1. labels: (N,) integers.
    """
    probabilities, labels = torch.as_tensor(probabilities).double(), torch.as_tensor(labels)
    sums = probabilities.sum(1)
    if len(labels) == 0 or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        raise DataError("these are not probabilities", "Give at least one row, each summing to 1 (a softmax).")
    confidence, prediction = probabilities.max(1)
    table = reliability(confidence, prediction == labels, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs().fillna(0)
    return float((table["images"] * gaps).sum() / len(labels))


def reliability(confidence: Tensor, correct: Tensor, bins: int = BINS) -> pd.DataFrame:
    """What a reliability diagram shows: one row per equal-width bin of the top probability, (from, to] as usual.

    Args:
        confidence: (N,) top probabilities. correct: (N,) whether the prediction was right.

    Returns:
        from, to (shares); images; confidence and accuracy in percent (NaN without images), and the 95 % Wilson
        interval of the accuracy (low, high).
    """
    confidence, correct = torch.as_tensor(confidence).double(), torch.as_tensor(correct).double()
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    images = torch.bincount(index, minlength=bins).tolist()
    sums = [torch.zeros(bins, dtype=torch.float64).index_add_(0, index, values) for values in (confidence, correct)]
    rows: list[dict[str, Any]] = []
    for place, (count, sure, right) in enumerate(zip(images, *(part.tolist() for part in sums), strict=True)):
        low, high = wilson_interval(round(right), count)
        rows.append(
            {
                "from": place / bins,
                "to": (place + 1) / bins,
                "images": count,
                "confidence": 100 * sure / count if count else math.nan,
                "accuracy": 100 * right / count if count else math.nan,
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def fit_temperature(logits: Tensor, labels: Tensor) -> float | None:
    """The T under which softmax(logits / T) gives the labels the highest likelihood (Guo et al., 2017).

    The likelihood is concave in 1 / T, so its slope is bisected; T is sought in [1/20, 20].

    Args:
        logits: (N, C) of images that nothing was trained on. labels: (N,) integers.

    Returns:
        T, or None where it would mean nothing: fewer than FEWEST_TO_FIT images, or all of them right (any sharper
        softmax would then fit better still).
    """
    logits, labels = torch.as_tensor(logits).double(), torch.as_tensor(labels).long()
    if len(labels) < FEWEST_TO_FIT or bool((logits.argmax(1) == labels).all()):
        return None
    of_label = logits.gather(1, labels[:, None]).squeeze(1).mean()
    low, high = 1 / _SHARPEST, _SHARPEST
    for _ in range(50):
        middle = math.sqrt(low * high)
        expected = ((middle * logits).softmax(1) * logits).sum(1).mean()
        low, high = (low, middle) if expected > of_label else (middle, high)
    return 1 / math.sqrt(low * high)

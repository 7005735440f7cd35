"""Does a confidence of 80 % mean 80 % correct?"""

from __future__ import annotations

import torch
from torch import Tensor

from avion_core.errors import DataError


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """ECE = sum_b (n_b / N) |accuracy_b - confidence_b| over equal-width bins of the top probability, in percent.

    Args:
        probabilities: (N, C), rows sum to 1. labels: (N,) integers.
    """
    probabilities, labels = torch.as_tensor(probabilities).double(), torch.as_tensor(labels)
    sums = probabilities.sum(1)
    if len(labels) == 0 or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        raise DataError("these are not probabilities", "Give at least one row, each summing to 1 (a softmax).")
    confidence, prediction = probabilities.max(1)
    correct = (prediction == labels).double()
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1  # bins are (low, high], as usual
    gap = torch.zeros(bins, dtype=torch.float64).index_add_(0, index, correct - confidence)
    return 100.0 * (gap.abs().sum() / len(labels)).item()

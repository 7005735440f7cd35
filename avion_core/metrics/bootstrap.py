"""Percentile bootstrap over images, for figures that have no interval in closed form (Efron and Tibshirani, 1993)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from avion_core.metrics.accuracy import macro_accuracy_of, macro_f1_of
from avion_core.metrics.retrieval import RECALLS, Hits

DRAWS = 1000
_CELLS = 2**22
"""Counts held at once."""
_TAILS = (2.5, 97.5)


def macro_intervals(matrix: Tensor, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % intervals of "macro_accuracy" and "macro_f1", in percent; the same seed, the same intervals.

    Images drawn with replacement fall into the cells of their confusion matrix multinomially: so the cells' counts are
    drawn, which takes a third of the time or less (benchmarks/intervals.py).

    Args:
        matrix: (C, C) counts, row = true class, column = predicted class; without any image all is NaN.
    """
    images, classes = int(matrix.sum()), len(matrix)
    if images == 0:
        return dict.fromkeys(("macro_accuracy", "macro_f1"), (float("nan"), float("nan")))
    true, said = matrix.nonzero(as_tuple=True)  # (K,) cells with an image
    share = (matrix[true, said].double() / images).numpy()
    draw = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {"macro_accuracy": [], "macro_f1": []}
    at_once = max(1, _CELLS // max(len(share), classes))
    for done in range(0, DRAWS, at_once):
        counts = torch.as_tensor(draw.multinomial(images, share, size=min(at_once, DRAWS - done)))  # (draws, K)
        empty = counts.new_zeros(len(counts), classes)
        right = empty.index_add(1, true[true == said], counts[:, true == said])
        present, predicted = empty.index_add(1, true, counts), empty.index_add(1, said, counts)  # (draws, C) each
        found["macro_accuracy"].append(macro_accuracy_of(right, present).numpy())
        found["macro_f1"].append(macro_f1_of(right, present, predicted).numpy())
    return {name: _tails(np.concatenate(values)) for name, values in found.items()}


def accuracy_interval(
    figure: Callable[[Mapping[str, float]], float], counts: Mapping[str, tuple[int, int]], seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a figure made from the accuracies of several parts; each part's images are drawn apart.

    Args:
        figure: part -> accuracy in percent -> the figure. counts: part -> (right, images), one image at least.
    """
    random = np.random.default_rng(seed)
    # The accuracy of n images drawn with replacement, of which a share is right, is binomial.
    drawn = {part: 100 * random.binomial(n, right / n, DRAWS) / n for part, (right, n) in counts.items()}
    return _tails([figure({part: float(values[draw]) for part, values in drawn.items()}) for draw in range(DRAWS)])


def recall_intervals(hits: Hits, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % intervals of R@1, R@5, R@10 both ways and mR, in percent; the same seed, the same intervals.

    Images are drawn with replacement, each with all of its captions: captions of one image are no independent queries.
    The images and captions that are searched stay the same.
    """
    images = len(hits.images)
    captions = torch.bincount(hits.owners, minlength=images).double()  # (I,)
    found = torch.zeros_like(hits.images).index_add(0, hits.owners, hits.texts)  # (I, 3) hits of an image's captions
    draw = np.random.default_rng(seed)
    drawn: list[Tensor] = []
    at_once = max(1, _CELLS // images)
    for done in range(0, DRAWS, at_once):
        size = min(at_once, DRAWS - done)
        times = torch.as_tensor(draw.multinomial(images, np.full(images, 1 / images), size=size)).double()  # (d, I)
        ways = times @ hits.images / images, times @ found / (times @ captions)[:, None]  # (d, 3) each
        drawn.append(100 * torch.cat(ways, dim=1))
    table = torch.cat(drawn).numpy()  # (DRAWS, 6)
    return {name: _tails(table[:, place]) for place, name in enumerate(RECALLS)} | {"mr": _tails(table.mean(1))}


def _tails(values: list[float] | np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, _TAILS)
    return float(low), float(high)

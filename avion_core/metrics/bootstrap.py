"""Percentile bootstrap over images, for figures that have no interval in closed form (Efron and Tibshirani, 1993)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

DRAWS = 1000
_TAILS = (2.5, 97.5)


def bootstrap_interval(figure: Callable[[np.ndarray], float], images: int, seed: int = 0) -> tuple[float, float]:
    """95 % interval of a figure: the images are drawn DRAWS times with replacement; the same seed, the same interval.

    Args:
        figure: positions of the drawn images, (images,) -> the figure. images: how many there are; NaN without any.
    """
    if images == 0:
        return float("nan"), float("nan")
    random = np.random.default_rng(seed)
    return _tails([figure(random.integers(images, size=images)) for _ in range(DRAWS)])


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


def _tails(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(values, _TAILS)
    return float(low), float(high)

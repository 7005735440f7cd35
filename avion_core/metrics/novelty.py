"""When an image lies farther from all known ones than they lie from each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

FEWEST_HELD_OUT = 20
"""With fewer images a new one of the same kind would be called far more often than once in twenty."""
_SHARE = 0.01


@dataclass(frozen=True)
class DistanceLimit:
    """The cosine distance from the nearest known image from which on a new one counts as far."""

    distance: float
    """Of the held-out images at most this share lies farther from all others; 0 to 2."""
    images: int
    """How many held-out images it is made from."""
    known: int
    """How many images a new one is compared with."""


def distance_limit(held_out: Tensor, others: Tensor) -> DistanceLimit | None:
    """The limit from leave-one-out distances: of each held-out image to the nearest of all the others.

    It is the ceil(0.99 (N + 1))-th smallest of the N distances, or the largest where there are fewer: a new image of
    the same kind then lies farther with a probability of at most 1 / (N + 1), or 1 % where N is 99 or more (the
    conformal quantile; docs/method.md section 7).

    Args:
        held_out: (N, D) embeddings of unit norm on which nothing was trained. others: (M, D), trained on.

    Returns:
        None for fewer held-out images than FEWEST_HELD_OUT.
    """
    count = len(held_out)
    if count < FEWEST_HELD_OUT:
        return None
    similarity = held_out @ torch.cat([held_out, others]).T  # (N, N + M)
    similarity.diagonal().fill_(-torch.inf)
    distances = (1 - similarity.max(dim=1).values).sort().values
    place = min(count, math.ceil((1 - _SHARE) * (count + 1)))
    return DistanceLimit(float(distances[place - 1]), count, count + len(others))


def nearest_distance(images: Tensor, known: Tensor) -> Tensor:
    """(N,) cosine distances, 0 to 2, of images (N, D) to the nearest of the known (M, D), all of unit norm."""
    return 1 - (images @ known.T).max(dim=1).values

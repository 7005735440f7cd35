"""Which class the teacher predicts for an image, by how much, and who comes second."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ranking:
    """The two nearest text prototypes of N images."""

    best: Tensor
    """(N,) places of classes."""
    top: Tensor
    """(N,) scores (cosines) with them; -inf where no class is left."""
    runner_up: Tensor
    """(N,) places of the second nearest classes."""
    second: Tensor
    """(N,) scores with those; -inf where no second class is left."""

    def only(self, images: Tensor) -> Ranking:
        """The ranking of some images (a mask or places)."""
        return Ranking(self.best[images], self.top[images], self.runner_up[images], self.second[images])

    def accuracy(self, labels: Tensor) -> float:
        """Percent of images whose best class is their label's; NaN without images."""
        return 100.0 * (self.best == labels).double().mean().item()


def scores_of(features: Tensor, vectors: Tensor) -> Tensor:
    """Cosines (N, C) of images and text prototypes; -inf for a blocked class (a row of zeros)."""
    return (features @ vectors.T).masked_fill(vectors.norm(dim=1) == 0, float("-inf"))


def rank(features: Tensor, vectors: Tensor) -> Ranking:
    """Rank the C classes for each of N images; of equal scores the class that comes first wins.

    Args:
        features: (N, D), unit norm. vectors: (C, D) text prototypes; a row of zeros is a blocked class.
    """
    places = torch.arange(len(vectors), device=vectors.device)
    return _two_best(scores_of(features, vectors), places.expand(len(features), -1))


def rank_again(ranking: Ranking, features: Tensor, vectors: Tensor, changed: Sequence[int]) -> Ranking:
    """`rank`, where only the prototypes of a few classes changed since: only what they touch is computed.

    Args:
        features: (N, D). vectors: (C, D) as they are now. changed: places of the classes that changed.
    """
    places = torch.tensor(sorted(changed))
    touched = torch.isin(ranking.best, places) | torch.isin(ranking.runner_up, places)
    # Where no changed class was among the two best, these two and the changed ones are all that can be.
    candidates = torch.cat([ranking.best[:, None], ranking.runner_up[:, None], places.expand(len(features), -1)], dim=1)
    scores = torch.cat([ranking.top[:, None], ranking.second[:, None], scores_of(features, vectors[places])], dim=1)
    order = candidates.argsort(dim=1)
    again = _two_best(scores.gather(1, order), candidates.gather(1, order))
    fresh = rank(features[touched], vectors)
    for name in ("best", "top", "runner_up", "second"):
        getattr(again, name)[touched] = getattr(fresh, name)
    return again


def _two_best(scores: Tensor, candidates: Tensor) -> Ranking:
    """The best and the second of each row: scores (N, C) of the classes `candidates` (N, C)."""
    row = torch.arange(len(scores), device=scores.device)
    first = scores.argmax(dim=1)
    top = scores[row, first]
    others = scores.clone()
    others[row, first] = float("-inf")
    then = others.argmax(dim=1)
    return Ranking(candidates[row, first], top, candidates[row, then], others[row, then])

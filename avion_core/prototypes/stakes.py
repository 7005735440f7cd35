"""What is at stake in a verdict: could it alone change the teacher's prediction of a validation image?

For each description of a class, its class prototype is made anew under every other verdict on it: rejected, accepted,
or left to the rules. Median, MAD, cuts and weights of the other texts follow. That is exact. It is quick since a
prototype that moves by |p' - p| changes no score by more: only images whose margin is within that reach are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.config import PrototypesConfig
from avion_core.prototypes.ranking import Ranking, scores_of
from avion_core.prototypes.selection import try_verdicts

ROUNDING = 1e-6  # scores of unit vectors in float32; a prediction this close to another may change


@dataclass(frozen=True)
class ClassAtHand:
    """One class as it stands: K descriptions, D dimensions.

    similarity (K,), flag (K,) bool, verdict (K,) words. embeddings: (K, D). vector: (D,) its prototype, zeros when
    blocked. fallback: (D,) the template's embedding where it may step in for a class without texts, else None.
    """

    similarity: np.ndarray
    flag: np.ndarray
    verdict: np.ndarray
    embeddings: Tensor
    vector: Tensor
    fallback: Tensor | None

    def is_open(self, config: PrototypesConfig) -> bool:
        """Whether there is anything left to decide that the prototype depends on."""
        return config.source == "descriptions" and bool((self.verdict == "undecided").any())

    def prototypes(self, weights: np.ndarray) -> Tensor:
        """Prototypes (R, D) of R sets of weights (R, K); zeros where the class would be blocked."""
        vectors = normalize(torch.from_numpy(weights).float() @ self.embeddings.float(), dim=1)
        if self.fallback is not None:
            vectors[weights.sum(axis=1) == 0] = self.fallback.float()
        return vectors


def other_verdicts(verdict: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each way to judge one of K descriptions otherwise, the others as they are.

    Returns:
        whose (R,): which description; accepted and rejected (R, K) bool.
    """
    tried, whose = [], []
    for word in ("accepted", "rejected", "undecided"):
        others = np.flatnonzero(verdict != word)
        rows = np.repeat(verdict[None], len(others), axis=0)
        rows[np.arange(len(others)), others] = word
        tried.append(rows)
        whose.append(others)
    table = np.concatenate(tried)
    return np.concatenate(whose), table == "accepted", table == "rejected"


def reach_and_stakes(
    at_hand: ClassAtHand, place: int, config: PrototypesConfig, features: Tensor, ranking: Ranking, margin: Tensor
) -> tuple[float, np.ndarray]:
    """How far a verdict on one text moves this class's prototype at most, and which texts have a prediction at stake.

    Args:
        place: which class of the ranking it is.
        features: (N, D) validation images. ranking: of them, with all prototypes as they stand. margin: (N,) of the
            class (see `margins`).

    Returns:
        The greatest |p' - p| (inf where the class could be blocked or unblocked), and (K,) bool.
    """
    at_stake = np.zeros(len(at_hand.verdict), dtype=bool)
    if config.source == "template" or not len(at_hand.verdict):
        return 0.0, at_stake
    whose, accepted, rejected = other_verdicts(at_hand.verdict)
    weights = try_verdicts(at_hand.similarity, at_hand.flag, accepted, rejected, config).weights
    vectors = at_hand.prototypes(weights)  # (R, D)
    moved = (vectors - at_hand.vector).norm(dim=1)
    moved[(vectors.norm(dim=1) == 0) != (at_hand.vector.norm() == 0)] = torch.inf
    reach = float(moved.max())
    near = margin <= reach + ROUNDING
    own = (ranking.best[near] == place)[:, None]
    then = scores_of(features[near], vectors)  # (n, R)
    lost = own & (then <= ranking.second[near, None] + ROUNDING)
    won = ~own & (then >= ranking.top[near, None] - ROUNDING)
    changes = ((lost | won).any(dim=0) & (moved > 0)).numpy()
    at_stake[whose[changes]] = True
    return reach, at_stake


def margins(ranking: Ranking, features: Tensor, vectors: Tensor, places: Tensor) -> Tensor:
    """By how much the scores of some classes would have to change for the prediction of each image to change: (N, P).

    Args:
        features: (N, D), as ranked. vectors: (P, D) of the classes at `places` (P,).
    """
    scores, top, second = scores_of(features, vectors), ranking.top[:, None], ranking.second[:, None]
    found = torch.where(ranking.best[:, None] == places, scores - second, top - scores)
    return found.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf)  # nan: all classes are blocked


def classes_to_look_at_again(
    before: Ranking, after: Ranking, features: Tensor, vectors: Tensor, reach: np.ndarray
) -> np.ndarray:
    """Which classes have an image within reach that is not ranked as before: (C,) bool.

    Args:
        features: (N, D). vectors: (C, D) as they are now. reach: (C,) of one verdict, see `reach_and_stakes`.
    """
    names = ("best", "top", "second")
    other = torch.stack([getattr(before, name) != getattr(after, name) for name in names]).any(dim=0)
    those = features[other], vectors, torch.arange(len(vectors))
    nearest = torch.minimum(margins(before.only(other), *those), margins(after.only(other), *those))  # (n, C)
    return np.asarray((nearest.numpy() <= reach + 2 * ROUNDING).any(axis=0))

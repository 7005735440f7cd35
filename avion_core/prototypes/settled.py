"""What the undecided rest of a review can still do, all of it together.

What is proven: of the classes called settled, every undecided text may be accepted, rejected or left to the rules, in
any combination, and no image is predicted otherwise than now.

What is assumed: texts are not edited, added or moved; what is decided stays decided; the rules stay; and classes
that are not settled stay as they are.

How. The prototype of a class depends on the verdicts on its own texts alone, so it is enough to bound, class by class,
the score f . p_c of an image over all that can be decided there. Up to a common factor, an accepted text j has the
weight e_j = exp(beta s_j + gamma) whatever else is decided, a rejected one none, and an undecided one something from
[0, exp(beta s_j + gamma)]: nothing if it is rejected, cut or refused, less than the whole if it is kept without a flag.
Median and MAD decide only which of the undecided are cut, so that every shift of theirs is inside the box of these
intervals. With q the direction of the prototype as it stands, g_j = c_j q + h_j, and x = sum_j e_j g_j,

    f . x / |x| = (f . q + f . u) / sqrt(1 + |u|^2),    u = sum_j e_j h_j / sum_j e_j c_j

and f . u is a ratio of linear functions of the e_j, whose extremes over a box are found exactly by sorting (the
texts with the largest ratios are in, the others out). |u|^2 is bounded by the same means, applied twice:
|u|^2 = sum_j e_j (h_j . u) / sum_j e_j c_j, and each h_j . u is such a ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from avion_core.config import PrototypesConfig
from avion_core.prototypes.decisive import ROUNDING
from avion_core.prototypes.ranking import Ranking


@dataclass(frozen=True)
class ClassAtHand:
    """One class as it stands: K descriptions, D dimensions."""

    similarity: np.ndarray
    """(K,)."""
    verdict: np.ndarray
    """(K,) words."""
    embeddings: torch.Tensor
    """(K, D)."""
    vector: torch.Tensor
    """(D,) its prototype, zeros when blocked."""

    def is_open(self, config: PrototypesConfig) -> bool:
        """Whether there is anything left to decide that the prototype depends on."""
        return config.source == "descriptions" and bool((self.verdict == "undecided").any())


def score_bounds(at_hand: ClassAtHand, config: PrototypesConfig, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest score of each image with a class, over all verdicts on its undecided texts.

    Args:
        features: (N, D) float64, unit norm.

    Returns:
        lower and upper, (N,); -inf and inf where nothing can be said: no text is accepted, so that the class may be
        emptied, or a text points away from the others.
    """
    count = len(features)
    unbounded = np.full(count, -np.inf), np.full(count, np.inf)
    undecided = at_hand.verdict == "undecided"
    if not at_hand.is_open(config):
        now = features @ at_hand.vector.double().numpy()
        blocked = not at_hand.vector.any()
        return (np.full(count, -np.inf), np.full(count, -np.inf)) if blocked else (now, now)
    accepted = at_hand.verdict == "accepted"
    if not accepted.any():
        return unbounded

    g = at_hand.embeddings.double().numpy()  # (K, D)
    q = at_hand.vector.double().numpy()
    q /= np.linalg.norm(q)
    logits = config.beta * at_hand.similarity + config.gamma if config.selective else np.zeros(len(g))
    logits = logits - logits[accepted | undecided].max()
    # The accepted texts are one term, always in with weight 1; the undecided ones have at most `most` (T,).
    most = np.exp(logits[undecided])
    terms = np.concatenate([(np.exp(logits[accepted]) @ g[accepted])[None], g[undecided]])  # (1 + T, D)
    along = terms @ q  # c_j
    if (along <= 0).any():
        return unbounded
    across = terms - along[:, None] * q  # h_j

    products = _greatest_ratio(across @ across.T, along, most)  # (1 + T,) bounds of h_j . u
    turn = min(  # a bound of |u|
        np.sqrt(max(0.0, float(_greatest_ratio(products[None], along, most)[0]))),
        float(_greatest_ratio(np.linalg.norm(across, axis=1)[None], along, most)[0]),
    )
    here, aside = features @ q, features @ across.T  # (N,), (N, 1 + T)
    highest = here + _greatest_ratio(aside, along, most)
    lowest = here - _greatest_ratio(-aside, along, most)
    shortened = np.sqrt(1.0 + turn**2)
    return np.where(lowest < 0, lowest, lowest / shortened), np.where(highest < 0, highest / shortened, highest)


def settled_classes(
    classes: list[ClassAtHand], config: PrototypesConfig, features: torch.Tensor, ranking: Ranking
) -> np.ndarray:
    """Which classes no verdict on their undecided texts, given together, can change a prediction through: (C,) bool.

    Args:
        classes: all C of them. features: (N, D) validation images; without any, nothing is settled that is open.
        ranking: of them, with all prototypes as they stand.
    """
    decided = ~np.array([at_hand.is_open(config) for at_hand in classes])
    if not len(features):
        return decided
    images = features.double().numpy()
    best, row = ranking.best.numpy(), np.arange(len(images))
    bounds = [score_bounds(at_hand, config, images) for at_hand in classes]
    lower, upper = (np.stack(side, axis=1) for side in zip(*bounds, strict=True))  # (N, C)
    least, top = lower[row, best], ranking.top.double().numpy()

    # Alone: its best images stay above all others as these stand, and it rises above no other image's best.
    upper[row, best] = -np.inf
    settled = np.asarray((upper < top[:, None] - ROUNDING).all(axis=0))
    np.logical_and.at(settled, best, least > ranking.second.double().numpy() + ROUNDING)
    # Together: of two classes that may meet on an image, one is left out; first the one that meets the most others.
    meet = np.zeros((len(classes), len(classes)), dtype=bool)
    np.logical_or.at(meet, best, upper >= least[:, None] - ROUNDING)
    meet |= meet.T
    while (meetings := (meet & settled & settled[:, None]).sum(axis=1)).any():
        settled[meetings.argmax()] = False
    return settled | decided


def _greatest_ratio(numerators: np.ndarray, denominators: np.ndarray, most: np.ndarray) -> np.ndarray:
    """max over 0 <= e_j <= most_j of (b_0 + sum_j e_j b_j) / (c_0 + sum_j e_j c_j), exactly, for R rows of b: (R,).

    Args:
        numerators: b (R, 1 + T). denominators: c (1 + T,), all above 0. most: (T,).
    """
    order = (-numerators[:, 1:] / denominators[1:]).argsort(axis=1)
    b = np.take_along_axis(numerators[:, 1:] * most, order, axis=1).cumsum(axis=1) + numerators[:, :1]
    c = (denominators[1:] * most)[order].cumsum(axis=1) + denominators[0]
    return np.maximum((b / c).max(axis=1), numerators[:, 0] / denominators[0])

"""What is at stake in a verdict: could it alone change the teacher's prediction of a validation image?

For each description of a class, its class prototype is made anew under every other verdict on it: rejected, accepted,
or left to the rules. Median, MAD, cuts and weights of the other texts follow. That is exact. It is quick since a
prototype that moves by |p' - p| changes no score by more: only images whose margin is within that reach are looked at.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.config import PrototypesConfig
from avion_core.prototypes.ranking import Ranking, scores_of
from avion_core.prototypes.selection import class_blocks, select

ROUNDING = 1e-6  # scores of unit vectors in float32; a prediction this close to another may change
_WORDS = ("undecided", "accepted", "rejected")


def reach_and_decisive(
    table: pd.DataFrame,
    owner: np.ndarray,
    embeddings: Tensor,
    vectors: Tensor,
    template: Tensor | None,
    config: PrototypesConfig,
    features: Tensor,
    ranking: Ranking,
) -> tuple[np.ndarray, np.ndarray]:
    """How far a verdict on one text moves its class's prototype at most, and which texts have a prediction at stake.

    Args:
        table: M rows with similarity, flag and verdict (see `TextPrototypes.table`); those of some classes will do.
        owner: (M,) the place of each row's class. embeddings: (M, D).
        vectors: (C, D) the prototypes as they stand, zeros where a class is blocked. template: (C, D) its embeddings
            where they may step in for a class without texts, else None.
        features: (N, D) validation images. ranking: of them, with all prototypes as they stand.

    Returns:
        reach (C,): the greatest |p' - p| (inf where the class could be blocked or unblocked; 0 where it has no row),
        and decisive (M,) bool.
    """
    reach, decisive = np.zeros(len(vectors)), np.zeros(len(table), dtype=bool)
    if config.source == "template":
        return reach, decisive
    similarity, flag = table["similarity"].to_numpy(), table["flag"].to_numpy(dtype=bool)
    verdict = pd.Index(_WORDS).get_indexer(table["verdict"].to_numpy())
    for places, rows, given in class_blocks(owner):
        whose, tried = _other_verdicts(verdict[rows])
        weights = select(
            similarity[rows][:, None],
            flag[rows][:, None],
            tried == _WORDS.index("accepted"),
            tried == _WORDS.index("rejected"),
            config,
            given[:, None],
        ).weights  # (B, R, K)
        then = normalize(torch.from_numpy(weights).float() @ embeddings[rows].float(), dim=2)  # (B, R, D)
        if template is not None:
            empty = torch.from_numpy(weights.sum(axis=2) == 0)
            then = torch.where(empty[..., None], template[places][:, None].float(), then)
        now = vectors[places][:, None]
        moved = (then - now).norm(dim=2)
        moved[then.any(dim=2) != now.any(dim=2)] = torch.inf
        moved[~torch.from_numpy(given[:, whose])] = 0.0  # tried on a text that is not there
        farthest = moved.amax(dim=1)
        reach[places] = farthest.numpy()
        changes = _changes(places, then, moved, features, ranking, vectors, farthest)
        decisive[rows[given]] = np.logical_or.reduce(changes.reshape(len(places), 2, -1), axis=1)[given]
    return reach, decisive


def _other_verdicts(verdict: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each way to judge one of K descriptions otherwise, the others as they are: there are R = 2K of them.

    Args:
        verdict: (B, K) places in _WORDS.

    Returns:
        whose (R,): which description; tried (B, R, K).
    """
    count = verdict.shape[1]
    whose = np.tile(np.arange(count), 2)
    tried = np.repeat(verdict[:, None], 2 * count, axis=1)
    tried[:, np.arange(2 * count), whose] = (verdict[:, whose] + np.repeat([1, 2], count)) % len(_WORDS)
    return whose, tried


def _changes(
    places: np.ndarray,
    then: Tensor,
    moved: Tensor,
    features: Tensor,
    ranking: Ranking,
    vectors: Tensor,
    reach: Tensor,
) -> np.ndarray:
    """Which of R prototypes that B classes might have instead would change a prediction: (B, R) bool.

    Args:
        then: (B, R, D). moved: (B, R) how far each is from the one that stands. reach: (B,) the farthest of them.
    """
    changes = np.zeros(moved.shape, dtype=bool)
    near = margins(ranking, features, vectors[places], torch.from_numpy(places)) <= reach + ROUNDING  # (N, B)
    for place in near.any(dim=0).nonzero()[:, 0].tolist():
        images = near[:, place]
        own = (ranking.best[images] == int(places[place]))[:, None]
        scores = scores_of(features[images], then[place])  # (n, R)
        lost = own & (scores <= ranking.second[images, None] + ROUNDING)
        won = ~own & (scores >= ranking.top[images, None] - ROUNDING)
        changes[place] = ((lost | won).any(dim=0) & (moved[place] > 0)).numpy()
    return changes


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
        features: (N, D). vectors: (C, D) as they are now. reach: (C,) of one verdict, see `reach_and_decisive`.
    """
    names = ("best", "top", "second")
    other = torch.stack([getattr(before, name) != getattr(after, name) for name in names]).any(dim=0)
    those = features[other], vectors, torch.arange(len(vectors))
    nearest = torch.minimum(margins(before.only(other), *those), margins(after.only(other), *those))  # (n, C)
    return np.asarray((nearest.numpy() <= reach + 2 * ROUNDING).any(axis=0))

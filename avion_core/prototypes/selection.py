"""Which descriptions of a class are kept and how much each weighs (docs/method.md section 3).

A person's verdict wins over the rules: rejected is out; accepted is kept whatever its z, and weighs as flagged.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from avion_core.config import PrototypesConfig
from avion_core.prototypes.robust_z import RobustZ, robust_z

ROWS_AT_ONCE = 1024
"""Texts that are decided on together: enough to be quick, few enough to stay in the processor's cache."""


class Selection(NamedTuple):
    """The K descriptions of a class after all rules; in_play, kept and weights are (..., K)."""

    in_play: np.ndarray
    """Neither rejected nor refused by the hard flag. weights sum to 1 over the kept, and are all 0 without any."""
    z: RobustZ
    kept: np.ndarray
    weights: np.ndarray

    @property
    def n_eff(self) -> np.ndarray:
        """1 / sum(w_j^2) (...): how many equally weighted texts would be as spread; 0 where none is kept."""
        squares = np.square(self.weights).sum(axis=-1)
        return np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0)


def select(
    similarity: np.ndarray,
    flag: np.ndarray,
    accepted: np.ndarray,
    rejected: np.ndarray,
    config: PrototypesConfig,
    given: np.ndarray | bool = True,
) -> Selection:
    """Apply verdicts, the hard flag and the robust z; weigh what is left.

    Leading axes, broadcast, stand for classes or for sets of verdicts to try.

    Args:
        similarity: (..., K) float. flag: (..., K) bool, RS-Flag. accepted, rejected: (..., K) bool.
        given: (..., K) bool; False where a class has fewer than K texts.
    """
    refused = ~flag & ~accepted & (config.selective and config.flag_mode == "hard")
    in_play = given & ~rejected & ~refused & (config.source == "descriptions")
    z = robust_z(similarity, config.z_mode, config.zeta, in_play)
    # z <= 1 holds for half of the texts, but a smaller zeta can cut them all.
    kept = (z.kept | accepted) & in_play if config.selective else in_play
    return Selection(in_play, z, kept, softmax(weight_logits(similarity, flag | accepted, kept, config)))


class Block(NamedTuple):
    """B classes with the rows of their texts in a table, K at most."""

    places: np.ndarray
    """(B,) which classes."""
    rows: np.ndarray
    """(B, K) 0 where `given` (B, K) is False, for want of a text."""
    given: np.ndarray


def class_blocks(owner: np.ndarray) -> Iterator[Block]:
    """The classes that have texts, in order and of whatever sizes, as blocks that can be computed on at once.

    Args:
        owner: (M,) the place of each text's class.
    """
    order = owner.argsort(kind="stable")
    places, starts, counts = np.unique(owner[order], return_index=True, return_counts=True)
    first = 0
    while first < len(places):
        most, stop = counts[first], first + 1
        while stop < len(places) and max(most, counts[stop]) * (stop + 1 - first) <= ROWS_AT_ONCE:
            most, stop = max(most, counts[stop]), stop + 1
        given = np.arange(most) < counts[first:stop, None]
        rows = np.zeros(given.shape, dtype=np.intp)
        rows[given] = order[starts[first] : starts[first] + given.sum()]
        yield Block(places[first:stop], rows, given)
        first = stop


def weight_logits(similarity: np.ndarray, flag: np.ndarray, kept: np.ndarray, config: PrototypesConfig) -> np.ndarray:
    """beta * s_j + gamma * flag_j of the kept, or 0 without selection; -inf of the others: (..., K).

    Args:
        flag: (..., K) bool, RS-Flag's or an accepting person's.
    """
    logits = config.beta * similarity + config.gamma * flag if config.selective else np.zeros(kept.shape)
    return np.where(kept, logits, -np.inf)


def softmax(logits: np.ndarray) -> np.ndarray:
    """w_j (..., K), which sum to 1, or are all 0 where every logit is -inf."""
    highest = logits.max(axis=-1, keepdims=True, initial=-np.inf)
    parts = np.exp(logits - np.where(np.isfinite(highest), highest, 0.0))
    total = parts.sum(axis=-1, keepdims=True)
    return np.divide(parts, total, out=parts, where=total > 0)

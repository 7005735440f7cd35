"""Robust z-scores of a class's similarities (METHOD.md, section 3).

z_j = |s_j - median(s)| / (MAD(s) + 1e-8),   MAD(s) = median |s_j - median(s)|,   keep z_j <= zeta
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from avion_core.errors import PrototypeError

Mode = Literal["paper", "scaled", "low_side"]

EPSILON = 1e-8
NO_SPREAD = 1e-6  # a MAD under this is rounding, not spread
NO_SPREAD_REACH = 1e-3  # without spread, scores this close to the median are all alike
NORMAL_CONSISTENCY = 0.6745  # MAD / standard deviation of a normal distribution


@dataclass(frozen=True)
class RobustZ:
    """Scores of one class seen from their median. K is the number of scores given.

    median, mad: over the scores in play. z (K,): distances from the median in MADs, or in sigmas when `scaled`.
    low_cut: the similarity under which a text is cut; NaN when none can be. kept (K,): in play, and not cut.
    """

    median: float
    mad: float
    z: np.ndarray
    low_cut: float
    kept: np.ndarray


def robust_z(scores: np.ndarray, mode: Mode = "paper", zeta: float = 3.0, in_play: np.ndarray | None = None) -> RobustZ:
    """Which scores stand too far from the median of those in play.

    Modes: `paper` cuts on both sides; `scaled` does too, but measures in normal sigmas (0.6745 of a z in MADs);
    `low_side` measures in MADs and cuts only below the median. A MAD under 1e-6 counts as 0: scores within 1e-3 of
    the median then have z = 0 and the others are cut. One or two scores are all kept.

    Args:
        scores: (K,) similarities, K >= 1.
        zeta: the largest z that is kept.
        in_play: (K,) bool; the scores that make median and MAD and that may be kept. None: all of them.

    Raises:
        PrototypeError: a score that is not a number, or none in play.
    """
    scores = np.asarray(scores, dtype=np.float64)
    playing = np.ones(scores.shape, dtype=bool) if in_play is None else np.asarray(in_play, dtype=bool)
    if not np.isfinite(scores).all():
        raise PrototypeError(
            "a similarity is not a number",
            "Compute the embeddings again; a damaged image or weights file can do this.",
            value=float(scores[~np.isfinite(scores)][0]),
        )
    if not playing.any():
        raise PrototypeError("there is no similarity to judge", "Accept or add a description of this class.")

    median = float(np.median(scores[playing]))
    distance = np.abs(scores - median)
    mad = float(np.median(distance[playing]))
    unit = (mad + EPSILON) / (NORMAL_CONSISTENCY if mode == "scaled" else 1.0)
    reach = zeta * unit
    if mad < NO_SPREAD:
        distance = np.where(distance <= NO_SPREAD_REACH, 0.0, distance)
        mad, unit, reach = 0.0, EPSILON, NO_SPREAD_REACH
    z = distance / unit

    if playing.sum() <= 2:
        return RobustZ(median, mad, z, float("nan"), playing)
    cut = z > zeta
    if mode == "low_side":
        cut &= scores < median
    return RobustZ(median, mad, z, median - reach, playing & ~cut)

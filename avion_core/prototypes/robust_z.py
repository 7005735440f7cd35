"""Robust z-scores of a class's similarities (docs/method.md section 3).

z_j = |s_j - median(s)| / (MAD(s) + 1e-8),   MAD(s) = median |s_j - median(s)|,   keep z_j <= zeta
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from avion_core.errors import PrototypeError

Mode = Literal["paper", "scaled", "low_side"]

EPSILON = 1e-8
NO_SPREAD = 1e-6  # a MAD under this is rounding, not spread
NO_SPREAD_REACH = 1e-3  # without spread, scores this close to the median are all alike
NORMAL_CONSISTENCY = 0.6745  # MAD / standard deviation of a normal distribution


class RobustZ(NamedTuple):
    """The K scores of a class seen from their median; of many classes, or of many sets in play, each (...) one."""

    median: np.ndarray
    mad: np.ndarray
    """`median`, `mad` (...): over the scores in play."""
    z: np.ndarray
    """(..., K) distances from the median in MADs, or in sigmas when `scaled`."""
    low_cut: np.ndarray
    """(...) the similarity under which a text is cut; NaN when none can be."""
    kept: np.ndarray
    """(..., K) in play, and not cut. Where none is in play nothing is kept, and the other figures are NaN."""


def robust_z(scores: np.ndarray, mode: Mode = "paper", zeta: float = 3.0, in_play: np.ndarray | None = None) -> RobustZ:
    """Which scores stand too far from the median of those in play.

    Modes: `paper` cuts on both sides; `scaled` does too, but measures in normal sigmas (0.6745 of a z in MADs);
    `low_side` measures in MADs and cuts only below the median. A MAD under 1e-6 counts as 0: scores within 1e-3 of
    the median then have z = 0 and the others are cut. One or two scores are all kept.

    Args:
        scores: (..., K) similarities.
        zeta: the largest z that is kept.
        in_play: (..., K) bool, broadcast with scores; those that make median and MAD and that may be kept. None: all.

    Raises:
        PrototypeError: a score that is not a number.
    """
    scores = np.asarray(scores, dtype=np.float64)
    in_play = np.ones(scores.shape, dtype=bool) if in_play is None else np.asarray(in_play, dtype=bool)
    if not np.isfinite(scores).all():
        raise PrototypeError(
            "a similarity is not a number",
            "Compute the embeddings again; a damaged image or weights file can do this.",
            value=float(scores[~np.isfinite(scores)][0]),
        )
    count = in_play.sum(axis=-1)
    median = _median(scores, in_play, count)
    distance = np.abs(scores - median[..., None])
    mad = _median(distance, in_play, count)
    unit = (mad + EPSILON) / (NORMAL_CONSISTENCY if mode == "scaled" else 1.0)
    reach = zeta * unit
    flat = mad < NO_SPREAD
    if flat.any():
        distance = np.where(flat[..., None] & (distance <= NO_SPREAD_REACH), 0.0, distance)
        mad, unit = np.where(flat, 0.0, mad), np.where(flat, EPSILON, unit)
        reach = np.where(flat, NO_SPREAD_REACH, reach)
    z = distance / unit[..., None]
    few = count <= 2
    cut = (z > zeta) & ~few[..., None]
    if mode == "low_side":
        cut &= scores < median[..., None]
    return RobustZ(median, mad, z, np.where(few, np.nan, median - reach), in_play & ~cut)


def past_cut(
    similarity: np.ndarray, median: np.ndarray, z: np.ndarray, cut: np.ndarray, mode: Mode, zeta: float
) -> np.ndarray:
    """By how many z each score is past the limit that cuts it: more than 0 exactly where `robust_z` cuts it.

    In `low_side` a score above the median counts from the limit below, as -z - zeta. Where no score can be cut (`cut`
    is NaN) it is -inf.

    Args:
        similarity, median, z, cut: (..., K), as `robust_z` gives them (`cut` is its low_cut).
    """
    from_median = np.where(similarity < median, z, -z) if mode == "low_side" else z
    return np.where(np.isnan(cut), -np.inf, from_median - zeta)


def _median(values: np.ndarray, in_play: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Median of the values in play along the last axis; of an even count, the mean of the middle two; of none, NaN."""
    ordered = np.sort(np.where(in_play, values, np.inf), axis=-1)
    last = np.maximum(count, 1)
    middle = np.stack([(last - 1) // 2, last // 2], axis=-1)
    return np.where(count > 0, np.take_along_axis(ordered, middle, axis=-1).mean(axis=-1), np.nan)

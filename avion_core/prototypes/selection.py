"""Which descriptions of one class are kept, how much each weighs, and why (METHOD.md, section 3).

A person's verdict wins over the rules: rejected is out; accepted is kept whatever its z, and weighs as flagged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from avion_core.config import PrototypesConfig
from avion_core.prototypes.robust_z import NO_SPREAD_REACH, RobustZ, RobustZRows, robust_z_rows


@dataclass(frozen=True)
class Selection:
    """The K descriptions of one class after all rules.

    z: None when no text is in play. kept (K,) bool. weights (K,): sum to 1, or all 0 when none is kept.
    why: K sentences.
    """

    z: RobustZ | None
    kept: np.ndarray
    weights: np.ndarray
    why: list[str]

    @property
    def n_eff(self) -> float:
        """1 / sum(w_j^2): how many equally weighted texts would be as spread; 0 when none is kept."""
        return float(1.0 / np.square(self.weights).sum()) if self.kept.any() else 0.0


def select(similarity: np.ndarray, flag: np.ndarray, verdict: np.ndarray, config: PrototypesConfig) -> Selection:
    """Apply verdicts, the hard flag and the robust z; weigh what is left.

    Args:
        similarity: (K,) float. flag: (K,) bool, RS-Flag. verdict: (K,) "accepted", "rejected" or "undecided".
    """
    if not len(similarity):
        return _nothing([])
    accepted, rejected = verdict == "accepted", verdict == "rejected"
    tried = try_verdicts(similarity, flag, accepted[None], rejected[None], config)
    in_play = tried.in_play[0]
    if not in_play.any():
        return _nothing([_why_out(bool(out)) for out in rejected])
    z = RobustZ(*(figures[0] for figures in tried.z))
    kept, count = tried.kept[0], int(in_play.sum())
    why = [
        _why_in_play(float(similarity[j]), float(z.z[j]), bool(kept[j]), bool(accepted[j]), z, count, config)
        if in_play[j]
        else _why_out(bool(rejected[j]))
        for j in range(len(similarity))
    ]
    return Selection(z, kept, tried.weights[0], why)


class Tried(NamedTuple):
    """What R sets of verdicts on the K descriptions of one class come to; in_play, kept and weights are (R, K)."""

    in_play: np.ndarray
    z: RobustZRows
    kept: np.ndarray
    weights: np.ndarray


def try_verdicts(
    similarity: np.ndarray, flag: np.ndarray, accepted: np.ndarray, rejected: np.ndarray, config: PrototypesConfig
) -> Tried:
    """`select` for many sets of verdicts at once, without the sentences.

    Args:
        similarity: (K,) float. flag: (K,) bool. accepted, rejected: (R, K) bool.
    """
    refused = ~flag & ~accepted & (config.selective and config.flag_mode == "hard")
    in_play = ~rejected & ~refused
    z = robust_z_rows(np.asarray(similarity, dtype=np.float64), config.z_mode, config.zeta, in_play)
    # z <= 1 holds for half of the texts, but a smaller zeta can cut them all.
    kept = (z.kept | accepted) & in_play if config.selective else in_play
    return Tried(in_play, z, kept, _weights(similarity, flag | accepted, kept, config))


def template_only(count: int) -> Selection:
    """What becomes of `count` descriptions when the template alone makes the prototype."""
    return _nothing(["Not used: the prototype is the class-name template's."] * count)


def _nothing(why: list[str]) -> Selection:
    return Selection(None, np.zeros(len(why), dtype=bool), np.zeros(len(why)), why)


def _weights(similarity: np.ndarray, flag: np.ndarray, kept: np.ndarray, config: PrototypesConfig) -> np.ndarray:
    """w_j = softmax(beta * s_j + gamma * flag_j) over each row's kept, or 1 / n without selection: (R, K)."""
    logits = config.beta * similarity + config.gamma * flag if config.selective else np.zeros(flag.shape)
    logits = np.where(kept, logits, -np.inf)
    highest = logits.max(axis=1, keepdims=True, initial=-np.inf)
    parts = np.exp(logits - np.where(np.isfinite(highest), highest, 0.0))
    total = parts.sum(axis=1, keepdims=True)
    return np.divide(parts, total, out=parts, where=total > 0)


def _why_out(rejected: bool) -> str:
    if rejected:
        return "Out: a reviewer rejected it."
    return "Out: RS-Flag refuses it, and the flag is a filter here."


def _why_in_play(
    similarity: float, distance: float, kept: bool, accepted: bool, z: RobustZ, in_play: int, config: PrototypesConfig
) -> str:
    side = "below" if similarity < z.median else "above"
    if z.mad > 0:
        unit = "sigmas" if config.z_mode == "scaled" else "MADs"
        place = f"similarity {similarity:.3f} is {distance:.1f} {unit} {side} the class median {z.median:.3f}"
        limit = f"cut at {config.zeta:.1f}"
    else:
        gap = abs(similarity - z.median)
        place = f"similarity {similarity:.3f} is {gap:.4f} {side} the median {z.median:.3f} that the other texts share"
        limit = f"cut at {NO_SPREAD_REACH}"
    if accepted:
        return f"Kept: a reviewer accepted it ({place})."
    if not config.selective:
        return f"Kept: nothing is cut here ({place})."
    if in_play <= 2:
        return f"Kept: similarity {similarity:.3f}; with {in_play} in play there is no telling an outlier."
    if not kept:
        return f"Cut: {place} ({limit})."
    if distance > config.zeta:
        return f"Kept: {place} (only low similarities are cut)."
    return f"Kept: {place} ({limit})."

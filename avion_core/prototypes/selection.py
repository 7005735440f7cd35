"""Which descriptions of one class are kept, how much each weighs, and why (METHOD.md, section 3).

A person's verdict wins over the rules: rejected is out; accepted is kept whatever its z, and weighs as flagged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avion_core.config import PrototypesConfig
from avion_core.prototypes.robust_z import NO_SPREAD_REACH, RobustZ, robust_z


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
    accepted, rejected = verdict == "accepted", verdict == "rejected"
    refused = ~flag & ~accepted & (config.selective and config.flag_mode == "hard")
    in_play = ~rejected & ~refused
    if not in_play.any():
        return _nothing([_why_out(bool(out)) for out in rejected])

    z = robust_z(similarity, config.z_mode, config.zeta, in_play)
    kept = z.kept | accepted if config.selective else in_play
    weights = np.zeros(len(similarity))
    if kept.any():  # z <= 1 holds for half of the texts, but a smaller zeta can cut them all
        weights[kept] = _weights(similarity[kept], (flag | accepted)[kept], config)
    count = int(in_play.sum())
    why = [
        _why_in_play(float(similarity[j]), float(z.z[j]), bool(kept[j]), bool(accepted[j]), z, count, config)
        if in_play[j]
        else _why_out(bool(rejected[j]))
        for j in range(len(similarity))
    ]
    return Selection(z, kept, weights, why)


def template_only(count: int) -> Selection:
    """What becomes of `count` descriptions when the template alone makes the prototype."""
    return _nothing(["Not used: the prototype is the class-name template's."] * count)


def _nothing(why: list[str]) -> Selection:
    return Selection(None, np.zeros(len(why), dtype=bool), np.zeros(len(why)), why)


def _weights(similarity: np.ndarray, flag: np.ndarray, config: PrototypesConfig) -> np.ndarray:
    """w_j = softmax(beta * s_j + gamma * flag_j), or the same weight for all without selection."""
    if not config.selective:
        return np.full(len(similarity), 1.0 / len(similarity))
    logits = config.beta * similarity + config.gamma * flag
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


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

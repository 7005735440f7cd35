"""One figure and one sentence why: the scores of a description in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HIDDEN = "Hidden until your own verdict: it would reveal what others decided."


@dataclass(frozen=True)
class Figure:
    """A score with its name, its value as shown, and what it means here."""

    name: str
    value: str
    sentence: str


def figures(row: Mapping[str, Any], class_similarities: Sequence[float], n_eff: float, zeta: float) -> list[Figure]:
    """The scores of one row of the curation table, each explained.

    Args:
        row: similarity, z, cut, median, kept, verdict, weight, influence (degrees); in a blind review weight and
            influence are NaN and kept is None.
        class_similarities: the similarities of every text of the class, this one among them.
        n_eff: effective number of texts of the class.
        zeta: the robust z-score above which texts are cut.
    """
    return [
        similarity_figure(row["similarity"], class_similarities),
        z_figure(row, zeta),
        weight_figure(row["weight"], n_eff),
        influence_figure(row["influence"], row["weight"]),
    ]


def similarity_figure(similarity: float, class_similarities: Sequence[float]) -> Figure:
    others = max(1, len(class_similarities) - 1)
    below = sum(other < similarity for other in class_similarities)
    return Figure(
        "Similarity",
        f"{similarity:.3f}",
        f"Closer to the class's training images than {below} of the {others} other texts.",
    )


def z_figure(row: Mapping[str, Any], zeta: float) -> Figure:
    """Robust z with its distance from the cut, and on which side of the median the text stands."""
    z = row["z"]
    if z is None or math.isnan(z):
        return Figure("Robust z", "–", "Not scored: the class has no text in use.")
    shown = f"{z:.2f}" if z < 1000 else "≫ 1000"
    side = "below" if row["similarity"] < row["median"] else "above"
    if row["kept"] is None and z > zeta:
        sentence = f"{z - zeta:.2f} above the cut of {zeta:g}; the similarity is {side} the median."
    elif row["kept"] and z > zeta:
        reason = (
            "a reviewer accepted it" if row["verdict"] == "accepted" else "only similarities below the median are cut"
        )
        sentence = f"Above the cut of {zeta:g}, but kept: {reason}."
    elif z > zeta:
        sentence = f"An outlier: {z - zeta:.2f} above the cut of {zeta:g}; the similarity is {side} the median."
    else:
        sentence = f"{zeta - z:.2f} below the cut of {zeta:g}; the similarity is {side} the median."
    return Figure("Robust z", shown, sentence)


def weight_figure(weight: float, n_eff: float) -> Figure:
    if math.isnan(weight):
        return Figure("Weight", "–", _HIDDEN)
    if weight == 0:
        return Figure("Weight", "0 %", "Not part of the class's prototype.")
    even = 1 / n_eff
    compared = "about" if abs(weight - even) < 0.1 * even else "more than" if weight > even else "less than"
    return Figure(
        "Weight",
        f"{100 * weight:.1f} %",
        f"Its share of the prototype, {compared} an even share of {100 * even:.1f} % (n_eff = {n_eff:.1f} texts).",
    )


def influence_figure(degrees: float, weight: float) -> Figure:
    if math.isnan(weight):
        return Figure("Influence", "–", _HIDDEN)
    if weight == 0 or math.isnan(degrees):
        return Figure("Influence", "0°", "Leaving it out changes nothing.")
    return Figure("Influence", f"{degrees:.2f}°", f"Leaving it out would turn the class's prototype by {degrees:.2f}°.")

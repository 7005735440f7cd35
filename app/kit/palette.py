"""Colours and marks, the same on every page and in every plot.

The colours are Okabe and Ito's set that keeps apart for every kind of colour vision (grey for their black, so that
dark mode works too). Past eight classes a second sign joins the colour: the marker's shape.
"""

from __future__ import annotations

from collections.abc import Sequence

from avion_core.usecases.projects.summaries import ClassInfo

CATEGORICAL = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A63B0", "#7F8790")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "triangle-down", "hexagon")

# Shares from none to all, in one hue whose strength alone counts: right on a light and on a dark page and for every
# kind of colour vision. It rises steeply at first, so that a few percent can be seen.
SEQUENTIAL = tuple((share, f"rgba(0,114,178,{alpha})") for share, alpha in ((0, 0), (0.02, 0.15), (0.2, 0.5), (1, 1)))

KEPT, CUT, NEUTRAL, FOCUS = CATEGORICAL[0], CATEGORICAL[5], CATEGORICAL[7], CATEGORICAL[1]

VERDICT_WORDS = {"accepted": "✓ accepted", "rejected": "✕ rejected", "undecided": "undecided"}


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, by its place in the sorted list: a class keeps its colour from page to page."""
    return {name: CATEGORICAL[place % len(CATEGORICAL)] for place, name in enumerate(sorted(set(names)))}


def class_colours(classes: Sequence[ClassInfo]) -> dict[str, str]:
    """Class key -> the colour on its card, or else the palette's."""
    own = colours([entry.prompt_name for entry in classes])
    return {entry.key: entry.colour or own[entry.prompt_name] for entry in classes}


def symbols(names: Sequence[str]) -> dict[str, str]:
    """A marker shape for each name; it changes when the colours start again."""
    return {name: SYMBOLS[place // len(CATEGORICAL) % len(SYMBOLS)] for place, name in enumerate(sorted(set(names)))}

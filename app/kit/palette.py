"""Colours and marks, the same on every page and in every plot.

The first colours are Okabe and Ito's set that keeps apart for every kind of colour vision (grey for their black, for
dark mode). Those that follow were searched for, so that any two of all differ by at least 16 in CIEDE2000 and
each can be seen on a light and on a dark page (`tests/app/test_palette.py`). With every eighth name a second sign joins
the colour, the marker's shape, for eyes that see fewer colours.
"""

from __future__ import annotations

from collections.abc import Sequence

from avion_core.plots.colours import CATEGORICAL
from avion_core.usecases.projects.summaries import ClassInfo

CLASSES = (
    *CATEGORICAL[:7],
    *("#555500", "#AA1122", "#66BB00", "#335555", "#2211FF", "#665555", "#FF4455", "#BB9988"),
    *("#888855", "#774411", "#991166", "#007711", "#AAAADD", "#EE22FF", "#55BBBB", "#008899"),
)
"""What classes are told apart by; the grey of CATEGORICAL is not among them, for it is that of no class."""
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "triangle-down", "hexagon")

# Shares from none to all, in one hue whose strength alone counts: right on a light and on a dark page and for every
# kind of colour vision. It rises steeply at first, so that a few percent can be seen.
SEQUENTIAL = tuple((share, f"rgba(0,114,178,{alpha})") for share, alpha in ((0, 0), (0.02, 0.15), (0.2, 0.5), (1, 1)))

KEPT, CUT, NEUTRAL, FOCUS = CATEGORICAL[0], CATEGORICAL[5], CATEGORICAL[7], CATEGORICAL[1]

VERDICT_WORDS = {"accepted": "✓ accepted", "rejected": "✕ rejected", "undecided": "undecided"}


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, by its place in the sorted list: a class keeps its colour from page to page."""
    return {name: CLASSES[place % len(CLASSES)] for place, name in enumerate(sorted(set(names)))}


def class_colours(classes: Sequence[ClassInfo]) -> dict[str, str]:
    """Class key -> the colour on its card, or else the palette's."""
    own = colours([entry.prompt_name for entry in classes])
    return {entry.key: entry.colour or own[entry.prompt_name] for entry in classes}


def symbols(names: Sequence[str]) -> dict[str, str]:
    """A marker shape for each name; it changes with every eighth, so that 64 names differ in colour or shape."""
    return {name: SYMBOLS[place // len(SYMBOLS) % len(SYMBOLS)] for place, name in enumerate(sorted(set(names)))}

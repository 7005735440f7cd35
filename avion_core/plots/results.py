"""Figures of what was measured: accuracies with their intervals, curves, confusion and changes per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from avion_core.plots.colours import CATEGORICAL
from avion_core.plots.drawn import Drawn, style

MARKS = "oDs^P*vh"
_GREY = CATEGORICAL[-1]
_WIDTH = 7.2  # inches, of a printed page
_MOST_NAMES = 45  # more class names than this would be unreadable beside a matrix


def intervals(table: pd.DataFrame, unit: str, alt: str, *, zero: bool = False) -> Drawn:
    """Values with their intervals, a row each, the first on top.

    Args:
        table: label, value, low, high; without an interval where low is missing.
        unit: of the axis. zero: draw a line at 0, and let the axis go where the values go; else it is 0 to 100.
    """
    with style():
        figure = Figure(figsize=(_WIDTH, 0.9 + 0.27 * len(table)))
        axes = figure.add_subplot()
        places = np.arange(len(table))[::-1]
        reach = np.stack([table["value"] - table["low"], table["high"] - table["value"]]).clip(min=0)
        axes.errorbar(table["value"], places, xerr=np.nan_to_num(reach), fmt="none", ecolor=_GREY, capsize=2)
        axes.scatter(table["value"], places, color=CATEGORICAL[0], s=26, zorder=3)
        axes.set_yticks(places, list(table["label"]))
        axes.set_xlabel(unit)
        if zero:
            axes.axvline(0, color=_GREY, linewidth=1)
        else:
            axes.set_xlim(0, 101)
        return Drawn(figure, alt)


def curves(tables: Mapping[str, pd.DataFrame], column: str, title: str) -> Drawn | None:
    """One value over the steps of each run; None where none has it.

    Args:
        tables: run -> its measured steps, columns step and, where it was measured, `column`.
    """
    found = {label: table.dropna(subset=[column]) for label, table in tables.items() if column in table}
    found = {label: table for label, table in found.items() if not table.empty}
    if not found:
        return None
    with style():
        figure = Figure(figsize=(_WIDTH, 2.8))
        axes = figure.add_subplot()
        for place, (label, table) in enumerate(found.items()):
            mark = MARKS[place % len(MARKS)] if len(table) <= 60 else ""
            colour = CATEGORICAL[place % len(CATEGORICAL)]
            axes.plot(table["step"], table[column], color=colour, marker=mark, markersize=4, label=label)
        axes.set_xlabel("step")
        axes.set_ylabel(title)
        if len(found) > 1:
            axes.legend(frameon=False)
        return Drawn(figure, f"{title} over the steps of {', '.join(found)}")


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str]) -> Drawn:
    """A confusion matrix, shaded by the share of each row; counts stand in the cells.

    Args:
        counts: (C, C), row = true class, column = what was said. names: of the C classes.
    """
    table = np.array(counts, dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size = len(names)
    named = size <= _MOST_NAMES
    with style():
        side = min(10.0, max(3.6, 1.8 + 0.27 * size))
        figure = Figure(figsize=(side, side))
        axes = figure.add_subplot()
        axes.imshow(shares**0.6, cmap="Blues", vmin=0, vmax=1.15)  # a few percent can be seen
        axes.grid(visible=False)
        axes.set_xticks(range(size) if named else [], list(names) if named else [], rotation=60, ha="left")
        axes.xaxis.tick_top()
        axes.set_yticks(range(size) if named else [], list(names) if named else [])
        axes.tick_params(length=0)
        axes.set_ylabel("true class")
        axes.set_xlabel("what was said")
        for row, column in zip(*table.nonzero(), strict=True) if named else ():
            dark = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{table[row, column]:.0f}", ha="center", va="center", fontsize=7, color=dark)
        return Drawn(figure, "Confusion matrix: rows are true classes, columns what was said, images in the cells")


def places(points: pd.DataFrame, views: Mapping[str, str], names: Mapping[str, str]) -> Drawn:
    """A map as each view sees it: images as marks in their class's colour, prototypes as ringed stars.

    Args:
        points: kind ("image", "description" or "prototype"), class_key, and x_VIEW, y_VIEW for each view.
        views: view -> its title. names: class key -> name, in the legend's order; unlabelled images are grey.
    """
    with style():
        rows = -(-len(names) // 5)
        figure = Figure(figsize=(10, 10 / len(views) + 0.5 + 0.2 * rows))
        panels = figure.subplots(1, len(views), squeeze=False)[0]
        for axes, (view, title) in zip(panels, views.items(), strict=True):
            axes.set_title(title, fontsize=10)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_aspect("equal", adjustable="datalim")
            for place, key in enumerate(["", *names]):
                of = points[points["class_key"] == key]
                colour = _GREY if not key else CATEGORICAL[(place - 1) % (len(CATEGORICAL) - 1)]
                mark = MARKS[(place - 1) // (len(CATEGORICAL) - 1) % len(MARKS)] if key else "o"
                shown = of[of["kind"] == "image"]
                label = names.get(key) if view == next(iter(views)) else None
                axes.scatter(
                    shown[f"x_{view}"], shown[f"y_{view}"], s=11, c=colour, marker=mark, alpha=0.75, label=label
                )
                stars = of[of["kind"] == "prototype"]
                axes.scatter(
                    stars[f"x_{view}"], stars[f"y_{view}"], s=90, c=colour, marker="*", edgecolors="black", zorder=4
                )
        figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=7)
        return Drawn(figure, f"Map of images and prototypes: {', '.join(views.values())}")

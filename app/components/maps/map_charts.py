"""One view of an alignment map as WebGL points that stay light at a hundred thousand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.kit.palette import SEQUENTIAL

LASSO = {
    "displaylogo": False,
    "scrollZoom": True,
    "modeBarButtonsToRemove": ["autoScale2d", "toImage", "zoom2d"],
}
MANY_POINTS = 10_000
"""From here on points hide each other, and their density is drawn below them unless it is switched off."""
_MOST_GLIDING = 3_000  # points that are drawn as shapes of their own, which glide to their new places

# Plotly's numbers of the palette's shapes: a number a point is sent in a byte or two, a name is not.
_NUMBERS = {
    "circle": 0,
    "diamond": 2,
    "square": 1,
    "triangle-up": 5,
    "cross": 3,
    "star": 17,
    "triangle-down": 6,
    "hexagon": 14,
}
_KEPT_TEXT, _CUT_TEXT, _PROTOTYPE = 4, 104, 17  # x, x-open, star
_CELLS = 72  # of the density, along each axis


@dataclass(frozen=True)
class Legend:
    """The values by which a map is coloured, with a colour and a shape each; a point's code is its value's place."""

    values: Sequence[str]
    colours: Sequence[str]
    shapes: Sequence[str]


@dataclass(frozen=True)
class Beside:
    """What is drawn with the points of a view."""

    labels: Sequence[tuple[float, float, str]] = ()
    """x, y and words, such as a class's name where most of it lies."""
    density: bool = False
    """How thickly the points lie, as shades below them."""
    glide: bool = False
    """Points move to their new places when the view is drawn again, as far as there are not too many."""
    height: int = 420
    """Pixels."""


def map_view(
    points: pd.DataFrame,
    legend: Legend,
    picked: np.ndarray,
    extent: tuple[Sequence[float], Sequence[float]],
    beside: Beside | None = None,
) -> go.Figure:
    """Three traces, one a kind; colours and shapes are sent as numbers, and of what a point is its row alone: the card
    under the pointer asks for the rest.

    Args:
        points: the visible ones: `row` (the item's number in the map), `kind`, `kept`, `x`, `y`, `code` (of the
            legend's values).
        picked: rows that are picked; with none nothing is faded.
        extent: x and y ranges, the same for views that share a layout.
    """
    beside = beside or Beside()
    numbers = np.array([_NUMBERS[shape] for shape in legend.shapes] or [0], np.int16)
    size = 7 if len(points) < 2_000 else 5 if len(points) < 20_000 else 3
    gliding = beside.glide and len(points) <= _MOST_GLIDING
    traces: list[dict[str, Any]] = [_density(points, extent)] if beside.density and len(points) else []
    for kind in ("image", "description", "prototype"):
        part = points[points["kind"] == kind]
        if part.empty:
            continue
        codes = part["code"].to_numpy(np.int16)
        shape = numbers[codes]
        if kind == "description":
            shape = np.where(part["kept"].fillna(True), _KEPT_TEXT, _CUT_TEXT).astype(np.int16)
        trace: dict[str, Any] = {
            "type": "scatter" if gliding else "scattergl",
            "x": part["x"].to_numpy(np.float32),
            "y": part["y"].to_numpy(np.float32),
            "mode": "markers",
            "name": kind,
            "customdata": part["row"].to_numpy(np.int32),
            "hoverinfo": "none",  # the pointer is told to the card, which shows the picture
            "marker": {
                "size": 15 if kind == "prototype" else size,
                "symbol": _PROTOTYPE if kind == "prototype" else shape,
                "color": codes,
                "colorscale": _scale(legend.colours),
                "cmin": -0.5,
                "cmax": len(legend.colours) - 0.5,
                "line": {"width": 1 if kind == "prototype" else 0, "color": "#10171E"},
                "opacity": 1.0 if kind == "prototype" else 0.75,
            },
            "selected": {"marker": {"opacity": 1.0}},
            "unselected": {"marker": {"opacity": 0.1}},
        }
        if len(picked):
            trace["selectedpoints"] = np.flatnonzero(part["row"].isin(picked)).tolist()
        traces.append(trace)
    layout = {
        "height": beside.height,
        "showlegend": False,
        "dragmode": "lasso",
        "hovermode": "closest",
        "margin": {"l": 4, "r": 4, "t": 28, "b": 4},
        "xaxis": {"visible": False, "range": list(extent[0])},
        "yaxis": {"visible": False, "range": list(extent[1])},
        "annotations": [_label(*label) for label in beside.labels],
    }
    if gliding:
        layout["transition"] = {"duration": 500, "easing": "cubic-in-out"}
    # Plotly checks every shape of every point otherwise: ten times the work at a hundred thousand of them.
    return go.Figure(traces, layout, _validate=False)


def _density(points: pd.DataFrame, extent: tuple[Sequence[float], Sequence[float]]) -> dict[str, Any]:
    """Shades by how many points lie in a cell and around it; the square root of it, so that thin parts are seen too."""
    counts, x, y = np.histogram2d(points["x"], points["y"], bins=_CELLS, range=[list(extent[0]), list(extent[1])])
    for axis in (0, 1):  # a weighted mean with the neighbours, twice over: smooth enough for shades
        for _ in range(2):
            before, after = np.roll(counts, 1, axis), np.roll(counts, -1, axis)
            counts = (before + 2 * counts + after) / 4
    return {
        "type": "contour",
        "z": np.sqrt(counts.T).astype(np.float32),
        "x": ((x[:-1] + x[1:]) / 2).astype(np.float32),
        "y": ((y[:-1] + y[1:]) / 2).astype(np.float32),
        "name": "density",
        "hoverinfo": "skip",
        "showscale": False,
        "ncontours": 12,
        "contours": {"coloring": "fill", "showlines": False},
        "colorscale": [list(step) for step in SEQUENTIAL],
        "opacity": 0.45,
    }


def _label(x: float, y: float, words: str) -> dict[str, Any]:
    return {
        "x": x,
        "y": y,
        "text": words,
        "showarrow": False,
        "yshift": 13,  # above the points, not on them
        "font": {"size": 12},
        "bgcolor": "rgba(127,135,144,0.28)",
        "borderpad": 1,
        "captureevents": False,
    }


def span(values: pd.DataFrame) -> list[float]:
    """The range of an axis that shows all values with a little room around them."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.05 * (high - low) or 1.0
    return [low - room, high + room]


def _scale(colours: Sequence[str]) -> list[tuple[float, str]]:
    """A colour scale of steps: code k of K shows colour k."""
    steps = len(colours)
    return [(edge / steps, colour) for place, colour in enumerate(colours) for edge in (place, place + 1)]

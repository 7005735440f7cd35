"""One view of an alignment map as WebGL points that stay light at a hundred thousand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

LASSO = {
    "displaylogo": False,
    "scrollZoom": True,
    "modeBarButtonsToRemove": ["autoScale2d", "toImage", "zoom2d"],
}
MOST_NAMED_POINTS = 10_000
"""Above this many points a view sends no names: what lies under the pointer is told by its kind alone."""

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


@dataclass(frozen=True)
class Legend:
    """The values by which a map is coloured, with a colour and a shape each; a point's code is its value's place."""

    values: Sequence[str]
    colours: Sequence[str]
    shapes: Sequence[str]


def map_view(
    points: pd.DataFrame, legend: Legend, picked: np.ndarray, extent: tuple[Sequence[float], Sequence[float]]
) -> go.Figure:
    """Three traces, one a kind; colours and shapes are sent as numbers, names only of a small map.

    Args:
        points: the visible ones: `row` (the item's number in the map), `kind`, `kept`, `x`, `y`, `code` (of the
            legend's values) and `name` (what to show under the pointer).
        picked: rows that are picked; with none nothing is faded.
        extent: x and y ranges, the same for views that share a layout.
    """
    numbers = np.array([_NUMBERS[shape] for shape in legend.shapes] or [0], np.int16)
    named = len(points) <= MOST_NAMED_POINTS
    size = 7 if len(points) < 2_000 else 5 if len(points) < 20_000 else 3
    traces = []
    for kind in ("image", "description", "prototype"):
        part = points[points["kind"] == kind]
        if part.empty:
            continue
        codes = part["code"].to_numpy(np.int16)
        shape = numbers[codes]
        if kind == "description":
            shape = np.where(part["kept"].fillna(True), _KEPT_TEXT, _CUT_TEXT).astype(np.int16)
        trace: dict[str, Any] = {
            "type": "scattergl",
            "x": part["x"].to_numpy(np.float32),
            "y": part["y"].to_numpy(np.float32),
            "mode": "markers",
            "name": kind,
            # The row number alone: captions and links would weigh many times as much.
            "customdata": part["row"].to_numpy(np.int32),
            "hovertemplate": f"{kind}<extra></extra>",
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
        if named:
            trace |= {"hovertext": part["name"].tolist(), "hovertemplate": f"%{{hovertext}}<extra>{kind}</extra>"}
        if len(picked):
            trace["selectedpoints"] = np.flatnonzero(part["row"].isin(picked)).tolist()
        traces.append(trace)
    layout = {
        "height": 420,
        "showlegend": False,
        "dragmode": "lasso",
        "hovermode": "closest",
        "margin": {"l": 4, "r": 4, "t": 28, "b": 4},
        "xaxis": {"visible": False, "range": list(extent[0])},
        "yaxis": {"visible": False, "range": list(extent[1])},
    }
    # Plotly checks every shape of every point otherwise: ten times the work at a hundred thousand of them.
    return go.Figure(traces, layout, _validate=False)


def span(values: pd.DataFrame) -> list[float]:
    """The range of an axis that shows all values with a little room around them."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.05 * (high - low) or 1.0
    return [low - room, high + room]


def _scale(colours: Sequence[str]) -> list[tuple[float, str]]:
    """A colour scale of steps: code k of K shows colour k."""
    steps = len(colours)
    return [(edge / steps, colour) for place, colour in enumerate(colours) for edge in (place, place + 1)]

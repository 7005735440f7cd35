"""Figures of the evaluation: confusion matrix, accuracy over shots, change per class, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.kit.charts import layout
from app.kit.palette import CATEGORICAL, CUT, FOCUS, KEPT, NEUTRAL, SEQUENTIAL, SYMBOLS

_DIRECTIONS = {1: "triangle-right", 0: "circle", -1: "triangle-left"}
_MOST_NAMES = 45  # more class names than this would be unreadable beside a matrix


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str], cell: tuple[int, int] | None) -> go.Figure:
    """Row-wise shares of a confusion matrix; rows are true classes, columns what was said.

    Args:
        counts: (C, C). names: of the C classes. cell: the row and column to mark.
    """
    table = np.array(counts, dtype=float)
    shares = 100 * table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size = len(names)
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            colorscale=[list(stop) for stop in SEQUENTIAL],
            zmin=0,
            zmax=100,
            showscale=False,
            xgap=1,
            ygap=1,
            hoverinfo="skip",
        )
    )
    # A heatmap takes no clicks: markers that nobody sees do, one in the middle of each cell.
    rows, columns = (axis.ravel().tolist() for axis in np.indices((size, size)))
    figure.add_scatter(
        x=columns,
        y=rows,
        mode="markers",
        customdata=np.arange(size * size),
        text=[
            f"{names[row]} taken for {names[column]}: {table[row, column]:.0f} images ({shares[row, column]:.0f} %)"
            for row, column in zip(rows, columns, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        marker={"symbol": "square", "size": max(6, 420 // size), "color": "rgba(0,0,0,0)"},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
    )
    if cell is not None:
        row, column = cell
        box = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", **box, line={"color": FOCUS, "width": 3})
    ticks = {"tickmode": "array", "tickvals": list(range(size)), "ticktext": list(names)}
    named = size <= _MOST_NAMES
    reach = [-0.5, size - 0.5]
    figure.update_yaxes(range=reach[::-1], showgrid=False, zeroline=False, showticklabels=named, **ticks)
    figure.update_xaxes(
        range=reach, side="top", tickangle=-60, showgrid=False, zeroline=False, showticklabels=named, **ticks
    )
    layout(figure, min(900, max(360, 24 * size + 150)), legend=False, clickmode="event+select", dragmode=False)
    # Slanted names reach past the last column.
    return figure.update_layout(margin={"l": 8, "r": 64, "t": 12, "b": 8})


def over_shots(curve: pd.DataFrame, points: pd.DataFrame) -> go.Figure:
    """Mean accuracy over shots with its standard deviation over seeds, and each run as a small mark.

    Args:
        curve: title, shots, mean, deviation; the first title is set off. points: title, shots, seed, value.
    """
    figure = go.Figure()
    for place, title in enumerate(curve["title"].unique()):
        part = curve[curve["title"] == title]
        runs = points[points["title"] == title]
        colour, symbol = CATEGORICAL[place % len(CATEGORICAL)], SYMBOLS[place % len(SYMBOLS)]
        figure.add_scatter(
            x=part["shots"],
            y=part["mean"],
            error_y={"type": "data", "array": part["deviation"].fillna(0), "thickness": 1.4, "color": colour},
            mode="lines+markers",
            name=title,
            legendgroup=title,
            line={"color": colour, "width": 2.4 if place == 0 else 1.4},
            marker={"symbol": symbol, "size": 9},
            hovertemplate=f"{title}, %{{x}} shots: %{{y:.1f}} ± %{{error_y.array:.1f}} %<extra></extra>",
        )
        figure.add_scatter(
            x=runs["shots"],
            y=runs["value"],
            mode="markers",
            name=title,
            legendgroup=title,
            showlegend=False,
            marker={"symbol": symbol, "size": 5, "color": colour, "opacity": 0.4},
            text=[f"seed {seed}" for seed in runs["seed"]],
            hovertemplate="%{text}: %{y:.1f} %<extra></extra>",
        )
    shots = sorted(curve["shots"].unique())
    figure.update_xaxes(
        title_text="labelled images per class", type="log", tickvals=shots, ticktext=list(map(str, shots))
    )
    figure.update_yaxes(title_text="accuracy, percent", range=[0, 101])
    return layout(figure, 400, legend=True)


def change_per_class(table: pd.DataFrame) -> go.Figure:
    """Percentage points won and lost per class, with intervals; the classes in the order given.

    Args:
        table: class, images, before, after, change, low, high.
    """
    figure = go.Figure(
        go.Scatter(
            x=table["change"],
            y=table["class"],
            mode="markers",
            error_x=_interval(table, "change", 1.4),
            marker={
                "size": 10,
                "color": [KEPT if change >= 0 else CUT for change in table["change"]],
                "symbol": [_DIRECTIONS[int(np.sign(change))] for change in table["change"]],
            },
            customdata=table[["before", "after", "images"]],
            hovertemplate="%{y}: %{customdata[0]:.0f} → %{customdata[1]:.0f} %, %{customdata[2]} images<extra></extra>",
        )
    )
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    figure.update_yaxes(autorange="reversed", dtick=1)
    figure.update_xaxes(title_text="percentage points")
    return layout(figure, max(220, 24 * len(table) + 80), legend=False)


def reliability(table: pd.DataFrame) -> go.Figure:
    """Accuracy against confidence, bin by bin; on the dotted line a confidence means what it says.

    Args:
        table: from, to (shares), images, confidence, accuracy, low, high (percent).
    """
    filled = table[table["images"] > 0]
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", name="as it should be", line={"dash": "dot", "color": NEUTRAL}
    )
    figure.add_scatter(
        x=filled["confidence"],
        y=filled["accuracy"],
        mode="lines+markers",
        name="this student",
        line={"color": KEPT, "width": 1.4},
        marker={"color": KEPT, "size": 6 + 14 * np.sqrt(filled["images"] / max(filled["images"].max(), 1))},
        error_y=_interval(filled, "accuracy", 1.2),
        customdata=filled["images"],
        hovertemplate="says %{x:.0f} %, right %{y:.0f} % of %{customdata} images<extra></extra>",
    )
    figure.update_xaxes(title_text="the student's probability, percent", range=[0, 102])
    figure.update_yaxes(title_text="right, percent", range=[0, 102])
    return layout(figure, 400, legend=True)


def shares(table: pd.DataFrame) -> go.Figure:
    """A few classes with their probabilities, the most probable first.

    Args:
        table: class, probability (percent).
    """
    figure = go.Figure(
        go.Bar(
            y=table["class"],
            x=table["probability"],
            orientation="h",
            marker_color=[KEPT, *[NEUTRAL] * (len(table) - 1)],
            text=table["probability"].map("{:.1f} %".format),
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[0, 115], visible=False)
    return layout(figure, 30 * len(table) + 40, legend=False)


def _interval(table: pd.DataFrame, value: str, thickness: float) -> dict[str, Any]:
    """Error bars from the columns low and high around those of `value`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (table["high"] - table[value]).clip(lower=0),
        "arrayminus": (table[value] - table["low"]).clip(lower=0),
        "color": NEUTRAL,
        "thickness": thickness,
    }

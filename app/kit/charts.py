"""Every Plotly figure of the studio: same palette, same calm layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.kit.palette import CATEGORICAL, CUT, KEPT, NEUTRAL

QUIET = {"displayModeBar": False}


def layout(figure: go.Figure, height: int, *, legend: bool, **settings: Any) -> go.Figure:
    """The calm frame of every figure: its height, little margin, and the legend above."""
    figure.update_layout(
        height=height,
        showlegend=legend,
        margin={"l": 8, "r": 8, "t": 44 if legend else 12, "b": 8},
        legend={"orientation": "h", "y": 1.08, "yanchor": "bottom", "x": 0, "title": {"text": ""}},
        colorway=list(CATEGORICAL),
        **settings,
    )
    return figure


def histogram(scores: pd.DataFrame, zeta_band: tuple[float, float]) -> go.Figure:
    """Distribution of s_j in one class, kept and cut apart, with median, MAD band and cut.

    Args:
        scores: the class's rows: similarity, kept, median, mad, cut.
        zeta_band: the similarities between which a text is inside the limit (either may be infinite).
    """
    values = scores["similarity"]
    width = max(float(values.max() - values.min()) / 24, 1e-3)
    bins = {"start": float(values.min()) - width / 2, "end": float(values.max()) + width, "size": width}
    figure = go.Figure()
    for kept, name, colour in ((True, "kept", KEPT), (False, "cut", CUT)):
        figure.add_histogram(
            x=values[scores["kept"] == kept],
            xbins=bins,
            name=name,
            marker={"color": colour, "pattern": {"shape": "" if kept else "/"}},
            hovertemplate="%{y} texts at %{x}<extra></extra>",
        )
    median, mad = float(scores["median"].iloc[0]), float(scores["mad"].iloc[0])
    if np.isfinite(median):
        figure.add_vrect(
            x0=median - mad,
            x1=median + mad,
            fillcolor=NEUTRAL,
            opacity=0.18,
            line_width=0,
        )
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="markers",
            name="median ± MAD",
            marker={"color": NEUTRAL, "opacity": 0.4, "symbol": "square", "size": 12},
        )
    ends = {"xref": "x", "yref": "y domain"}
    for name, x, line in (
        ("median", median, {"color": NEUTRAL, "dash": "dot"}),
        ("cut", zeta_band[0], {"color": CUT, "dash": "dash", "width": 2}),
    ):
        if np.isfinite(x):
            figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, line=line, **ends)
            figure.add_annotation(text=name, x=x, y=1, xanchor="center", yanchor="bottom", showarrow=False, **ends)
    if np.isfinite(zeta_band[1]):
        figure.add_vline(x=zeta_band[1], line={"color": CUT, "dash": "dash", "width": 2})
    figure.update_xaxes(title_text="similarity s to the visual prototype")
    figure.update_yaxes(title_text="texts")
    return layout(figure, 340, legend=True, barmode="stack", bargap=0.06)


def bars(table: pd.DataFrame, *, label: str, value: str, focus: str | None = None) -> go.Figure:
    """Horizontal bars in the order given; `low` and `high` columns, where there are, draw intervals.

    Args:
        focus: the label to set off from the others; None colours all alike.
    """
    error = None
    if {"low", "high"} <= set(table.columns):
        error = {
            "type": "data",
            "symmetric": False,
            "array": table["high"] - table[value],
            "arrayminus": table[value] - table["low"],
            "color": NEUTRAL,
            "thickness": 1.2,
        }
    figure = go.Figure(
        go.Bar(
            y=table[label],
            x=table[value],
            orientation="h",
            error_x=error,
            marker_color=[KEPT if focus in (None, name) else NEUTRAL for name in table[label]],
            text=None if error else table[value].map("{:.1f}".format),
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[0, 100], title_text="percent")
    return layout(figure, max(180, 26 * len(table) + 70), legend=False)

"""Figures of trainings: the curves of one run, and one curve of several."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from app.kit.charts import layout
from app.kit.palette import CATEGORICAL

# Loss parts keep their colour whether or not the others are shown.
LOSSES = {
    "loss": CATEGORICAL[7],
    "task": CATEGORICAL[0],
    "image": CATEGORICAL[1],
    "text": CATEGORICAL[2],
    "logit": CATEGORICAL[3],
}

_AXES = {
    "validation_accuracy": ("percent", [0, 101]),
    "validation_mr": ("percent", [0, 101]),
    "warmup": ("w(t)", [0, 1.05]),
    "scale": ("s", None),
    "loss": ("loss", None),
}
_DASHES = ("solid", "dash", "dot", "dashdot")
_HEIGHT = 260


def losses(table: pd.DataFrame) -> go.Figure:
    """The loss and its unweighted parts over the steps.

    Args:
        table: column `step` and those of LOSSES that were measured.
    """
    figure = go.Figure()
    for name, colour in LOSSES.items():
        if name in table and table[name].notna().any():
            _add(figure, table, name, name=name, colour=colour)
    return _dressed(figure, "loss", legend=True)


def curve(table: pd.DataFrame, column: str) -> go.Figure:
    """One column over the steps; points that were not measured are bridged."""
    figure = go.Figure()
    _add(figure, table, column, name=column.replace("_", " "), colour=CATEGORICAL[0])
    return _dressed(figure, column, legend=False)


def overlaid(tables: Mapping[str, pd.DataFrame], column: str) -> go.Figure:
    """One column of several runs, each in its colour and dash; runs without it are left out."""
    figure = go.Figure()
    for place, (name, table) in enumerate(tables.items()):
        if column in table and table[column].notna().any():
            dash = _DASHES[place // len(CATEGORICAL) % len(_DASHES)]
            _add(figure, table, column, name=name, colour=CATEGORICAL[place % len(CATEGORICAL)], dash=dash)
    return _dressed(figure, column, legend=True)


def _add(figure: go.Figure, table: pd.DataFrame, column: str, *, name: str, colour: str, dash: str = "solid") -> None:
    part = table[["step", column]].dropna()
    figure.add_scatter(
        x=part["step"],
        y=part[column],
        mode="lines+markers" if len(part) < 40 else "lines",
        name=name,
        line={"width": 2.2, "color": colour, "dash": dash},
        marker={"size": 5},
    )


def _dressed(figure: go.Figure, column: str, *, legend: bool) -> go.Figure:
    title, reach = _AXES.get(column, (column.replace("_", " "), None))
    figure.update_xaxes(title_text="step")
    figure.update_yaxes(title_text=title, rangemode="tozero" if column == "loss" else "normal", range=reach)
    # The same revision keeps a reader's zoom while new points arrive.
    return layout(figure, _HEIGHT, legend=legend, uirevision="keep", hovermode="x unified")

"""Several views of the same points: a lasso in one marks the points in all. What is filtered out cannot be picked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import streamlit as st

from app.components.maps import map_colours
from app.components.maps.map_charts import LASSO, MOST_NAMED_POINTS, Legend, map_view, span
from app.state import map_choices, widgets
from avion_core.usecases.insight.alignment import MapResult
from avion_core.usecases.projects.summaries import ProjectSummary

TITLES = {"teacher": "Teacher", "before": "Student before training", "after": "Student after training"}
# Views that share a layout are drawn with the same axes: only there can a point's way be followed.
_SPACES = {"teacher": ["teacher"], "before": ["before", "after"], "after": ["before", "after"]}
_SIGNS = {
    "circle": "●",
    "diamond": "◆",
    "square": "■",
    "triangle-up": "▲",
    "cross": "✚",
    "star": "★",
    "triangle-down": "▼",
    "hexagon": "⬢",
}
_MOST_SIGNS = 64


@dataclass(frozen=True)
class Picked:
    """Which points of a map are shown and which are picked."""

    visible: np.ndarray
    picked: np.ndarray
    """`visible`, `picked`: row numbers in the map's table; picked ones are visible."""
    hidden: int
    """How many picked points the filters hide now."""


def linked_views(project: ProjectSummary, result: MapResult, verdicts: Mapping[str, str], key: str) -> Picked:
    """Draw one scatter per view, and return what is visible and what of it is picked.

    Args:
        verdicts: description id -> verdict as it now stands.
        key: what the map is; a selection belongs to one map.
    """
    points = result.points
    by = st.segmented_control(
        "Colour by",
        map_colours.choices(points),
        default="class",
        required=True,
        format_func=map_colours.COLOUR_BY.__getitem__,
        key="map_colour",
        bind="query-params",
    )
    views = [view for view in TITLES if f"x_{view}" in points]
    values = {view: map_colours.values(points, by, view, project.classes, verdicts) for view in views}
    present = sorted({value for of_view in values.values() for value in of_view.unique()} - {"-"})
    there = [kind for kind in ("image", "description", "prototype") if (points["kind"] == kind).any()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kinds = st.pills(
            "Show", there, selection_mode="multi", default=there, format_func=lambda kind: f"{kind}s", key="map_kinds"
        )
        only = st.multiselect(
            f"Show only ({map_colours.COLOUR_BY[by]})",
            present,
            placeholder="all",
            key=f"map_only_{by}",
            help="Hides every other point: it is not drawn, not counted, and a lasso cannot pick it.",
        )
    legend = map_colours.legend(by, [*present, "-"], project.classes)
    of_kind = points["kind"].isin(kinds).to_numpy()
    shown = {view: of_kind & (values[view].isin(only).to_numpy() if only else True) for view in views}
    visible = np.flatnonzero(np.logical_or.reduce(list(shown.values())))
    ids = points["id"].to_numpy()
    marked = np.flatnonzero(points["id"].isin(map_choices.picked_points(key)).to_numpy())
    picked = np.intersect1d(marked, visible)
    for column, view in zip(st.columns(len(views)), views, strict=True):
        with column:
            _view(points[shown[view]], values[view][shown[view]], view, legend, picked, _extent(points, view), ids, key)
    _legend(legend, {value for view in views for value in values[view][shown[view]].unique()})
    if len(visible) > MOST_NAMED_POINTS:
        st.caption(
            f":material/info: {len(visible):,} points: above {MOST_NAMED_POINTS:,}, hovering shows a point's kind "
            "only. Draw a lasso to see what the points are."
        )
    return Picked(visible, picked, len(marked) - len(picked))


def _view(
    points: pd.DataFrame,
    values: pd.Series,
    view: str,
    legend: Legend,
    picked: np.ndarray,
    extent: tuple[list[float], list[float]],
    ids: np.ndarray,
    key: str,
) -> None:
    chart = f"map_{view}"

    def pick() -> None:
        map_choices.pick_points(key, [ids[row] for row in widgets.chart_selection(chart)])

    drawn = pd.DataFrame(
        {
            "row": points.index,
            "kind": points["kind"],
            "kept": points["kept"],
            "x": points[f"x_{view}"],
            "y": points[f"y_{view}"],
            "code": pd.Categorical(values, categories=list(legend.values)).codes,
        }
    )
    few = len(points) <= MOST_NAMED_POINTS
    drawn["name"] = [escape(name) for name in values + points["text"].map(_under_pointer)] if few else ""
    st.markdown(f"**{TITLES[view]}**", text_alignment="center")
    st.plotly_chart(
        map_view(drawn, legend, picked, extent),
        key=chart,
        on_select=pick,
        selection_mode=("points", "lasso", "box"),
        config=LASSO,
        alt=f"{TITLES[view]}: {len(points):,} points, {len(picked):,} picked",
    )


def _extent(points: pd.DataFrame, view: str) -> tuple[list[float], list[float]]:
    together = [name for name in _SPACES[view] if f"x_{name}" in points]
    return span(points[[f"x_{name}" for name in together]]), span(points[[f"y_{name}" for name in together]])


def _under_pointer(text: str) -> str:
    return f": {text[:70]}{'…' if len(text) > 70 else ''}" if text else ""


def _legend(legend: Legend, there: set[str]) -> None:
    """One legend for all views: sign, colour and name of what is shown; long ones scroll in a box of their own."""
    entries = "".join(
        f'<span><span style="color:{colour}">{_SIGNS[shape]}</span> {escape(value if value != "-" else "other")}</span>'
        for value, colour, shape in zip(legend.values, legend.colours, legend.shapes, strict=True)
        if value in there
    )
    marks = '<span style="opacity:0.75">✕ description &ensp; ☓ cut description &ensp; ★ prototype</span>'
    st.html(
        '<div style="display:flex;flex-wrap:wrap;gap:0 1em;max-height:8.5rem;overflow-y:auto;font-size:0.85rem;'
        f'line-height:1.7">{entries}{marks}</div>'
    )
    if len(legend.values) > _MOST_SIGNS:
        st.caption(
            f":material/info: {len(legend.values) - 1:,} values share {_MOST_SIGNS} symbols: choose some under “Show "
            "only” to distinguish them."
        )

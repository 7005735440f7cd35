"""Views of the same points: a lasso in one marks the points in all. What is filtered out cannot be picked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import streamlit as st

from app.components.maps import map_colours
from app.components.maps.map_charts import LASSO, MANY_POINTS, Beside, Legend, map_view, span
from app.components.maps.map_places import beside_each_other, class_labels, places
from app.components.maps.under_pointer import under_pointer
from app.state import map_choices, widgets
from avion_core.usecases.insight.alignment import MapResult
from avion_core.usecases.projects.summaries import ProjectSummary

TITLES = {"teacher": "Teacher", "before": "Student before training", "after": "Student after training"}
_MOVING = "moving"
_ARRANGED = {"beside": "Side by side", _MOVING: "Before → after"}
# Views that share a layout are drawn with the same axes: only there can a point's way be followed.
_SPACES = {"teacher": ["teacher"]} | {view: ["before", "after"] for view in ("before", "after", _MOVING)}
_HEIGHT, _BELOW_SLIDER = 390, 350  # pixels: with the head of the page they fit a window of 720
_WIDTH = 800  # pixels of all views together in a window of 1,280
_EDGES = 32  # of what is above and below the points
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


@dataclass(frozen=True)
class Shown:
    """How the points are to be shown, as chosen above the map."""

    by: str
    """A way of colouring, of `map_colours.COLOUR_BY`."""
    moving: bool
    """One view whose points move from before to after training, instead of one a model."""
    kinds: list[str]
    labels: bool
    density: bool


def linked_views(project: ProjectSummary, result: MapResult, verdicts: Mapping[str, str], key: str) -> Picked:
    """Draw one scatter per view, or one that moves, and return what is visible and what of it is picked.

    Args:
        verdicts: description id -> verdict as it now stands.
        key: what the map is; a selection belongs to one map.
    """
    points = result.points
    with st.container(horizontal=True, vertical_alignment="bottom", key="map_controls"):
        shown = _controls(points)
        views = [_MOVING] if shown.moving else [view for view in TITLES if f"x_{view}" in points]
        share = map_choices.share_of_the_way() if shown.moving else 0.0
        seen_by = {view: ("after" if share >= 0.5 else "before") if view == _MOVING else view for view in views}
        coloured = (project.classes, verdicts)
        values = {view: map_colours.values(points, shown.by, seen_by[view], *coloured) for view in views}
        present = sorted({value for of_view in values.values() for value in of_view.unique()} - {"-"})
        only = st.multiselect(
            f"Show only ({map_colours.COLOUR_BY[shown.by]})",
            present,
            placeholder="all",
            key=f"map_only_{shown.by}",
            width=260,
            help="Hides every other point: it is not drawn, not counted, and a lasso cannot pick it.",
        )
    legend = map_colours.legend(shown.by, [*present, "-"], project.classes)
    of_kind = points["kind"].isin(shown.kinds).to_numpy()
    drawn = {view: of_kind & (values[view].isin(only).to_numpy() if only else True) for view in views}
    visible = np.flatnonzero(np.logical_or.reduce(list(drawn.values())))
    marked = np.flatnonzero(points["id"].isin(map_choices.picked_points(key)).to_numpy())
    picked = np.intersect1d(marked, visible)
    if shown.moving:
        st.slider(
            "From before (0 %) to after training (100 %)",
            0,
            100,
            0,
            10,
            format="%d %%",
            key=map_choices.SHARE,
            help="Moves every point along the straight way between its two places. Colours by right or wrong change "
            "in the middle.",
        )
    height = _BELOW_SLIDER if shown.moving else _HEIGHT
    for column, view in zip(st.columns(len(views), gap="small"), views, strict=True):
        with column:
            part = points[drawn[view]]
            x, y = places(part, view, share)
            table = pd.DataFrame({"row": part.index, "kind": part["kind"], "kept": part["kept"], "x": x, "y": y})
            labels: list[tuple[float, float, str]] = []
            if shown.labels:
                named = class_labels(table, map_colours.values(part, "class", seen_by[view], *coloured))
                labels = beside_each_other(named, _extent(points, view), _WIDTH / len(views), height - _EDGES)
            beside = Beside(labels, shown.density, shown.moving, height)
            _view(table, values[view][drawn[view]], view, legend, picked, _extent(points, view), beside, result, key)
    under_pointer(project, result, seen_by)
    _legend(legend, {value for view in views for value in values[view][drawn[view]].unique()})
    return Picked(visible, picked, len(marked) - len(picked))


def _controls(points: pd.DataFrame) -> Shown:
    """What can be chosen of the way in which a map is shown."""
    moves = "x_before" in points and "x_after" in points
    arranged = "beside"
    if moves:
        arranged = st.segmented_control(
            "Views",
            list(_ARRANGED),
            default="beside",
            required=True,
            format_func=_ARRANGED.__getitem__,
            key="map_views",
            bind="query-params",
        )
    by = st.selectbox(
        "Colour by",
        map_colours.choices(points),
        format_func=map_colours.COLOUR_BY.__getitem__,
        key="map_colour",
        bind="query-params",
        width=150,
    )
    there = [kind for kind in ("image", "description", "prototype") if (points["kind"] == kind).any()]
    with st.popover("Layers", icon=":material/layers:"):
        kinds = st.pills(
            "Show", there, selection_mode="multi", default=there, format_func=lambda kind: f"{kind}s", key="map_kinds"
        )
        labels = st.toggle("Class names on the map", value=True, key="map_labels")
        density = st.toggle(
            "Density",
            value=len(points) > MANY_POINTS,
            key="map_density",
            help=f"Shades by how many points lie there; on by itself above {MANY_POINTS:,} points.",
        )
    return Shown(by, arranged == _MOVING, list(kinds), labels, density)


def _view(
    drawn: pd.DataFrame,
    values: pd.Series,
    view: str,
    legend: Legend,
    picked: np.ndarray,
    extent: tuple[list[float], list[float]],
    beside: Beside,
    result: MapResult,
    key: str,
) -> None:
    chart = f"map_{view}"
    ids = result.points["id"].to_numpy()

    def pick() -> None:
        map_choices.pick_points(key, [ids[row] for row in widgets.chart_selection(chart)])

    drawn = drawn.assign(code=pd.Categorical(values, categories=list(legend.values)).codes)
    title = TITLES.get(view, "Student, before → after training")
    if view in TITLES:  # the moving view stands alone, below a slider that says what it is
        st.markdown(f"**{title}**", text_alignment="center")
    st.plotly_chart(
        map_view(drawn, legend, picked, extent, beside),
        key=chart,
        on_select=pick,
        selection_mode=("points", "lasso", "box"),
        config=LASSO,
        alt=f"{title}: {len(drawn):,} points, {len(picked):,} picked",
    )


def _extent(points: pd.DataFrame, view: str) -> tuple[list[float], list[float]]:
    together = [name for name in _SPACES[view] if f"x_{name}" in points]
    return span(points[[f"x_{name}" for name in together]]), span(points[[f"y_{name}" for name in together]])


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

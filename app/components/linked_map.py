"""Several views of the same points: a lasso in one marks the points in all, and shows their pictures and texts."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app import session
from app.components import charts
from app.components.gallery import paged_gallery
from app.palette import colours, symbols
from avion_core.studio.projects import ProjectSummary

# Views that share a layout are drawn with the same axes: only there can a point's way be followed.
_SPACES = {"teacher": ("teacher",), "before": ("before", "after"), "after": ("before", "after")}

_COLOUR_BY = {"class": "class", "split": "split", "correct": "student says", "kept": "description kept", "kind": "kind"}


def linked_views(points: pd.DataFrame, views: Mapping[str, str], names: Mapping[str, str], key: str) -> set[str]:
    """Draw one scatter per view; returns the ids picked by lasso, box or click in any of them.

    Args:
        points: id, kind, view, x, y, class_key, split, kept, correct.
        views: view -> title.
        names: class_key -> prompt name.
        key: what the map is; a selection belongs to one map.
    """
    points = points.assign(**_labels(points, names))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        colour_by = st.segmented_control(
            "Colour by",
            list(_COLOUR_BY),
            default="class",
            required=True,
            format_func=_COLOUR_BY.__getitem__,
            key="map_colour",
            bind="query-params",
        )
        kinds = st.pills(
            "Show",
            ["image", "description", "prototype"],
            selection_mode="multi",
            default=["image", "description", "prototype"],
            format_func=lambda kind: f"{kind}s",
            key="map_kinds",
        )
    shown = points[points["kind"].isin(kinds)]
    picked = set(session.picked_points(key))
    values = sorted(shown[colour_by].astype(str).unique())
    # One table row per point and view; the charts send back row numbers, ids are looked up here.
    ids = points["id"].to_numpy()
    columns = st.columns(len(views))
    for column, (view, title) in zip(columns, views.items(), strict=True):
        part = shown[shown["view"] == view]
        chart = f"map_{view}"

        def pick(chart: str = chart) -> None:
            rows = session.chart_selection(chart)
            session.pick_points(key, [ids[row] for row in rows])

        with column:
            st.markdown(f"**{title}**", text_alignment="center")
            st.plotly_chart(
                charts.map_view(part, colour_by, values, picked, shown[shown["view"].isin(_SPACES[view])]),
                key=chart,
                on_select=pick,
                selection_mode=("points", "lasso", "box"),
                config=charts.LASSO,
                alt=f"{title}: {len(part)} points coloured by {_COLOUR_BY[colour_by]}",
            )
    _legend(values)
    return picked


def picked_panel(project: ProjectSummary, points: pd.DataFrame, picked: set[str], names: Mapping[str, str]) -> None:
    """What was picked: counts, pictures, a table, and the list as a file."""
    of_one_view = points.drop_duplicates("id")
    chosen = of_one_view[of_one_view["id"].isin(picked)]
    if chosen.empty:
        st.caption(
            ":material/lasso_select: Draw a lasso around points of any view: they light up in all of them, and "
            "their pictures and texts appear here."
        )
        return
    images = chosen[chosen["kind"] == "image"]
    texts = chosen[chosen["kind"] == "description"]
    all_images, all_texts = (of_one_view["kind"] == "image").sum(), (of_one_view["kind"] == "description").sum()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{len(chosen):,} / {len(of_one_view):,}** points picked · images **{len(images):,} / "
            f"{all_images:,}** · descriptions **{len(texts):,} / {all_texts:,}**",
            width="stretch",
        )
        table = chosen.assign(prompt_name=chosen["class_key"].map(names)).drop(columns=["x", "y", "view"])
        st.download_button(
            "Export as CSV", table.to_csv(index=False).encode(), "picked.csv", "text/csv", icon=":material/download:"
        )
        st.button("Clear", icon=":material/close:", on_click=session.pick_points, args=("", []))
    if len(images):
        captions = [names.get(key, key) for key in images["class_key"]]
        paged_gallery(images["path"].tolist(), captions, project.recipe, key="picked_page")
    with st.expander("Table", icon=":material/table:", expanded=not len(images)):
        st.dataframe(table, hide_index=True, alt="Picked points")


def _labels(points: pd.DataFrame, names: Mapping[str, str]) -> dict[str, pd.Series]:
    said = points["correct"].map({True: "right", False: "wrong"}).fillna("not an image")
    kept = points["kept"].map({True: "kept", False: "out"}).fillna("not a text")
    return {
        "row": pd.Series(range(len(points)), index=points.index),
        "class": points["class_key"].map(names).fillna(points["class_key"]),
        "correct": said,
        "kept": kept,
        "split": points["split"].replace("", "not an image").fillna("not an image"),
    }


_SIGNS = {"circle": "●", "diamond": "◆", "square": "■", "triangle-up": "▲", "cross": "✚", "star": "★"}


def _legend(values: list[str]) -> None:
    """One legend for all views: sign, colour and name; what lies behind the shapes of texts and prototypes."""
    colour, shape = colours(values), symbols(values)
    entries = "".join(
        f'<span style="white-space:nowrap;margin-right:1em"><span style="color:{colour[name]}">'
        f"{_SIGNS.get(shape[name], '●')}</span> {_escaped(name)}</span>"
        for name in values
    )
    st.html(
        f'<div style="font-size:0.85rem;line-height:1.7">{entries}<span style="opacity:0.7">✕ description &ensp; '
        "★ prototype</span></div>"
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

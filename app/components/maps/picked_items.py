"""What was picked on a map: counts, pictures, a table, a file of ids, and the way to the review and label pages."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.components.maps.linked_map import TITLES, Picked
from app.components.maps.map_colours import PARTS
from app.kit.gallery import paged_gallery
from app.shell import go
from app.state import map_choices, sent_lists
from avion_core.data.tables import table_csv
from avion_core.usecases.insight.alignment import MapResult, Of, OfProject
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted

MOST_TABLE_ROWS = 2_000
_MOST_CLASSES = 6


def picked_items(
    project: ProjectSummary, of: Of, result: MapResult, verdicts: Mapping[str, str], what: Picked, key: str
) -> None:
    """Everything that can be done with the picked points; with none, how to pick some."""
    visible = result.points.iloc[what.visible]
    if what.hidden:
        st.caption(f":material/visibility_off: {what.hidden:,} more picked points are hidden by the filters.")
    if not len(what.picked):
        st.caption(
            ":material/lasso_select: Draw a lasso or a box around points in any view: all views highlight them, "
            "and their pictures and texts appear here."
        )
        st.button(
            f"Pick all {len(visible):,} visible",
            icon=":material/select_all:",
            on_click=map_choices.pick_points,
            args=(key, visible["id"].tolist()),
            disabled=visible.empty,
            help="To pick without a mouse: filter first, then pick everything left.",
        )
        return
    table = items_table(project, result, result.points.iloc[what.picked], verdicts)
    images, texts = (table[table["kind"] == kind] for kind in ("image", "description"))
    st.markdown(_counts(table, visible))
    _actions(of, result, table, images["id"].tolist(), texts["id"].tolist(), key)
    if len(images):
        paths = [str(project.image_root / path) for path in images["path"]]
        paged_gallery(paths, images["class"].tolist(), project.recipe, key="picked_page")
    with st.expander("Table", icon=":material/table:", expanded=not len(images)):
        st.dataframe(table.head(MOST_TABLE_ROWS), hide_index=True, alt="Picked points")
        if len(table) > MOST_TABLE_ROWS:
            st.caption(f"The first {MOST_TABLE_ROWS:,} of {len(table):,}; the downloads hold all of them.")


def items_table(
    project: ProjectSummary, result: MapResult, points: pd.DataFrame, verdicts: Mapping[str, str]
) -> pd.DataFrame:
    """Points as people read them: what each is, whose it is, what each view takes it for, and its content id."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    text = points["kind"] == "description"
    kept = points["kept"].astype(object).map({True: "kept", False: "cut"})
    table = pd.DataFrame(
        {
            "kind": points["kind"],
            "class": points["class_key"].map(names).fillna(points["class_key"]).replace("", "no label"),
            "split": points["part"].map(PARTS).fillna(""),
            "set": points["set"],
        }
    )
    for view, title in TITLES.items():
        if f"nearest_{view}" in points:
            nearest = points[f"nearest_{view}"]
            table[f"{title} says"] = nearest.map(names).fillna(nearest)
    table["kept or cut"] = kept.where(text).fillna("")
    table["verdict"] = points["id"].map(dict(verdicts)).where(text).fillna("")
    return table.assign(**{name: points[name] for name in ("writer", "text", "path", "id", "class_key")})


def _counts(table: pd.DataFrame, visible: pd.DataFrame) -> str:
    parts = [f"**{len(table):,} / {len(visible):,}** visible points picked"]
    for kind in ("image", "description", "prototype"):
        of = int((visible["kind"] == kind).sum())
        if of:
            parts.append(f"{kind}s **{int((table['kind'] == kind).sum()):,} / {of:,}**")
    per_class = table["class"].value_counts()
    classes = ", ".join(f"{_plain(str(name))} {count:,}" for name, count in per_class.head(_MOST_CLASSES).items())
    more = f" and {len(per_class) - _MOST_CLASSES:,} more classes" if len(per_class) > _MOST_CLASSES else ""
    return f"{' · '.join(parts)}  \n{classes}{more}"


def _actions(of: Of, result: MapResult, table: pd.DataFrame, images: list[str], texts: list[str], key: str) -> None:
    """Files of ids, and the pages that go on with what was picked."""

    def as_json() -> str:
        lists = {"images": images, "descriptions": texts}
        prototypes = table.loc[table["kind"] == "prototype", "class_key"].tolist()
        whose = {"project": of.project} if isinstance(of, OfProject) else {"run": of}
        facts = {**whose, "map": key, "settings": result.settings.model_dump(mode="json")}
        return json.dumps({**facts, **lists, "prototypes": prototypes}, indent=1, ensure_ascii=False)

    with st.container(horizontal=True):
        if st.button(f"Review {counted(len(texts), 'description')}", icon=":material/rate_review:", disabled=not texts):
            sent_lists.send_to_review(texts)
            go("review")
        if st.button(f"Relabel {counted(len(images), 'image')}", icon=":material/label:", disabled=not images):
            sent_lists.send_to_label(images)
            go("label")
        st.download_button(
            "CSV",
            lambda: table_csv(table),
            "picked.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
            help="Every picked point with its content id.",
        )
        st.download_button(
            "JSON",
            as_json,
            "picked.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
            help="Lists of content ids: images, descriptions, prototypes.",
        )
        st.button("Clear", icon=":material/close:", on_click=map_choices.pick_points, args=("", []))


def _plain(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#$~:" else sign for sign in text)

"""Alignment: maps of images, descriptions and prototypes as teacher and student see them, linked to the pictures."""

from __future__ import annotations

import streamlit as st

from app import session, shell
from app.components.background import Progress, computed, is_computed
from app.components.guard import empty_state
from app.components.linked_map import linked_views, picked_panel
from app.components.map_form import map_form
from avion_core.studio.alignment import MapResult, embed_map
from avion_core.studio.projects import ProjectSummary
from avion_core.studio.training import RunView

VIEWS = {"teacher": "Teacher", "before": "Student before", "after": "Student after"}


def page() -> None:
    project = shell.need_project()
    run = shell.need_run(
        project, ("finished", "stopped"), "A map shows what training moved: it needs a trained student to compare with."
    )
    method, settings = map_form()
    key = f"map:{run.id}:{run.step}:{method}:{sorted(settings.items())}"
    if not is_computed(key):
        asked = st.button("Compute the map", icon=":material/scatter_plot:", type="primary")
        if not asked:
            empty_state(
                "scatter_plot",
                "Settings first, then the map",
                "It takes some seconds and is kept: asking again with the same settings shows it at once.",
            )
            return

    def compute(progress: Progress) -> MapResult:
        return embed_map(
            session.home(), run.id, method=method, views=tuple(VIEWS), settings=settings, progress=progress
        )

    result = computed(key, "Computing the map", compute)
    figures(result)
    show(project, run, result, key)


def figures(result: MapResult) -> None:
    """Alignment, uniformity and modality gap of each view, side by side."""
    table = result.figures.set_index("view").rename(index=VIEWS).reset_index()
    with st.expander("Alignment, uniformity and modality gap", icon=":material/straighten:", expanded=True):
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                "view": "",
                "alignment": st.column_config.NumberColumn(
                    format="%.3f",
                    help="Mean squared distance of images from the prototype of their class: smaller is closer.",
                ),
                "uniformity": st.column_config.NumberColumn(
                    format="%.3f", help="How evenly images spread over the sphere: more negative is more even."
                ),
                "modality_gap": st.column_config.NumberColumn(
                    "modality gap", format="%.3f", help="Distance between the centre of images and that of prototypes."
                ),
            },
            alt="Alignment, uniformity and modality gap of teacher, student before and student after",
        )


def show(project: ProjectSummary, run: RunView, result: MapResult, key: str) -> None:
    names = {entry.key: entry.prompt_name for entry in project.classes}
    picked = linked_views(result.points, VIEWS, names, key)
    picked_panel(project, result.points, picked, names)


page()

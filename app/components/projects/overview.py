"""A project at a glance: what has been reached so far, and what its classes look like."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.projects.class_strip import class_mosaic
from app.kit.guard import plain
from app.state import run_choice, studio
from avion_core.usecases.insight.ladder import ladder
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.wording import counted

_PICTURES, _MOST_CLASSES = 3, 48


def ladder_panel(project: ProjectSummary) -> None:
    """From class names alone to the trained student, on the same images; nothing before a run was measured."""
    found = ladder(studio.home(), project.id)
    if found is None:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**What has been reached**", width="stretch")
            if st.button("See the evaluation", type="tertiary", icon=":material/fact_check:", key="see_ladder"):
                run_choice.show([found.run])
                shell.go("evaluation")
        for column, rung in zip(st.columns(len(found.rungs)), found.rungs, strict=True):
            with column:
                st.metric(plain(rung.title), f"{rung.value:.1f} %")
                st.caption(f"{rung.low:.0f} to {rung.high:.0f}")
        which = f" of {plain(found.part.lower())}" if found.part else ""
        st.caption(
            f"Accuracy on the {counted(found.images, 'validation image')}{which} of {plain(found.name)}, with 95 % "
            "intervals; figures whose intervals overlap may not differ."
        )


def mosaic(project: ProjectSummary) -> None:
    """A few labelled images of each class, side by side; none of the sealed test set."""
    class_mosaic(project, project.classes, pictures=_PICTURES, most=_MOST_CLASSES)

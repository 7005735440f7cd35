"""Journal: what to do next, what is stale and why, and what was done by whom."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.kit.guard import plain
from app.state import address, run_choice, studio, widgets
from avion_core.usecases.insight.journal import RECENT, journal_entries, next_steps, stale
from avion_core.usecases.projects.summaries import ProjectSummary


def page() -> None:
    project = shell.need_project()
    st.subheader("What to do next")
    show_steps(project)
    st.subheader("What is stale")
    show_stale(project)
    st.subheader("What was done")
    show_entries(project)


def show_steps(project: ProjectSummary) -> None:
    for number, step in enumerate(next_steps(studio.home(), project.id)):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{step.title}**  \n{plain(step.why)}", width="stretch")
            go(step.title, step.page, step.run, key=f"step_{number}", primary=number == 0)


def show_stale(project: ProjectSummary) -> None:
    found = stale(studio.home(), project.id)
    if not found:
        st.caption(":material/check_circle: Nothing is stale: all results are up to date, or there are none yet.")
    for number, item in enumerate(found):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":orange[:material/history:] **{plain(item.what)}**  \n{plain(item.why)}", width="stretch")
            go(item.fix, item.page, item.run, key=f"stale_{number}")


def go(label: str, page_name: str, run: str | None, *, key: str, primary: bool = False) -> None:
    """A button that leads to where it is done, with the run it is about."""
    kind = "primary" if primary else "secondary"
    if not st.button(label, icon=":material/arrow_forward:", type=kind, key=key):
        return
    if run is not None and page_name == "launch":
        address.choose(address.BASED_ON, run)
    elif run is not None:
        run_choice.show([run])
    shell.go(page_name)


def show_entries(project: ProjectSummary) -> None:
    entries = journal_entries(studio.home(), project.id)
    if not entries:
        st.caption("Nothing yet: reviews, labels, rules and trainings will be listed here.")
        return
    kinds = sorted({entry.kind for entry in entries})
    widgets.forget_unknown_among("journal_kinds", kinds)
    wanted = st.pills("About", kinds, selection_mode="multi", key="journal_kinds", bind="query-params")
    rows = [entry for entry in entries if not wanted or entry.kind in wanted]
    st.dataframe(
        pd.DataFrame({"when": row.when, "who": row.who, "about": row.kind, "what": row.sentence} for row in rows),
        hide_index=True,
        column_config={
            "when": st.column_config.DatetimeColumn(format="distance", width=110),
            "who": st.column_config.TextColumn(width=80),
            "about": st.column_config.TextColumn(width=95),
            "what": st.column_config.TextColumn(width="large"),
        },
        alt="What was done in this project, the newest first",
    )
    if len(entries) == RECENT:
        st.caption(f"The newest {RECENT} entries.")


page()

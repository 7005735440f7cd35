"""Runs: every training of the project in a table; one of them live below it, or several compared."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.runs.run_comparison import comparison
from app.components.runs.run_monitor import run_monitor, run_origin
from app.components.runs.run_table import PAGE, filtered_runs, run_table
from app.kit.guard import empty_state, guard
from app.state import run_choice, studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.jobs import MOST_LISTED
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.listing import known_runs, page_of_runs
from avion_core.usecases.runs.training import sleeping_queue, wake_queue
from avion_core.usecases.runs.views import get_run
from avion_core.wording import counted

_LIVE, _IDLE = "2s", "15s"
ACTIVE_STATUSES = ("waiting", "starting", "running", "stopping")


def page() -> None:
    project = shell.need_project()
    ids = known_runs(studio.home(), project.id)
    if not ids:
        with empty_state(
            "monitoring", "No training yet", "Start one: the demo preset takes a few minutes on a laptop."
        ):
            shell.go_button("Train a student", "launch", "rocket_launch")
        return
    shown = run_choice.shown(ids)
    active = page_of_runs(studio.home(), project.id, statuses=ACTIVE_STATUSES, limit=1).found
    st.fragment(overview, run_every=_LIVE if active else _IDLE)(project, ids, shown)
    if len(shown) > 1:
        comparison(project, shown)
        return
    run = get_run(studio.home(), shown[0])
    run_monitor(run, project)
    run_origin(run)


@guard()
def overview(project: ProjectSummary, drawn: list[str], shown: list[str]) -> None:
    """The table, drawn anew by itself; the whole page where there are other runs than before."""
    ids = known_runs(studio.home(), project.id)
    if not ids or ids != drawn or run_choice.shown(ids) != shown:
        st.rerun(scope="app")
    sleeping(project)
    found = filtered_runs(project.id, shell.page_asked(PAGE))
    if found.rows:
        run_table(found, shown, project.baseline_run)
        shell.page_picker(PAGE, found.page, found.pages)
        st.caption(f"{found.found:,} of {len(ids):,} pass. Select one run to see it, or several to compare them.")
    else:
        shell.nothing_passes("No run passes these filters.", {"run_states": [], "run_words": ""})


def sleeping(project: ProjectSummary) -> None:
    """Where runs wait and nobody starts them, the button that does."""
    waiting = page_of_runs(studio.home(), project.id, statuses=("waiting",), limit=MOST_LISTED).rows
    if asleep := sleeping_queue(studio.home(), waiting):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(
                f"{counted(len(asleep), 'run is', 'runs are')} queued, but no queue worker is running.", width="stretch"
            )
            may = visitor.may(policies.TRAIN)
            if st.button("Start the queue worker", icon=":material/alarm:", type="primary", disabled=not may):
                wake_queue(studio.home())


page()

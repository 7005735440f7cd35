"""Runs: every training of the project, live; stop it, resume it, read its log."""

from __future__ import annotations

import streamlit as st

from app import session, shell
from app.components.guard import empty_state, guard
from app.components.run_monitor import ACTIVE, run_controls, run_curves, run_figures, run_log, run_settings, run_table
from avion_core.studio.projects import ProjectSummary
from avion_core.studio.training import RunView, get_run, list_runs


def page() -> None:
    project = shell.need_project()
    runs = list_runs(session.home(), project.id)
    if not runs:
        with empty_state(
            "monitoring", "No training yet", "Start one: the demo preset takes a few minutes on a laptop."
        ):
            shell.go_button("Train a student", "launch", "rocket_launch")
        return
    chosen = shell.run_selector(runs)
    every = "2s" if any(run.state in ACTIVE for run in runs) else None
    st.fragment(monitor, run_every=every)(project, chosen)
    run_settings(chosen)


@guard()
def monitor(project: ProjectSummary, drawn: RunView) -> None:
    """What moves while a training goes on; drawn anew every two seconds, without the rest of the page."""
    run = get_run(session.home(), drawn.id)
    if run.state != drawn.state:
        st.rerun(scope="app")
    run_figures(run)
    run_controls(run)
    run_curves(run)
    run_log(run)
    st.markdown("**All runs**")
    run_table(project)


page()

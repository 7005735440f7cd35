"""Runs: every training of the project, live; stop it, resume it, read its log."""

from __future__ import annotations

import streamlit as st

from app import session, shell
from app.components.guard import empty_state, guard
from app.components.run_monitor import run_controls, run_curves, run_figures, run_log, run_settings, run_table
from avion_core.studio.training import get_run, list_runs


def page() -> None:
    project = shell.need_project()
    if not list_runs(session.home(), project.id):
        with empty_state(
            "monitoring", "No training yet", "Start one: the demo preset takes a few minutes on a laptop."
        ):
            shell.go_button("Train a student", "launch", "rocket_launch")
        return
    run_table(project)
    chosen = shell.run_selector(list_runs(session.home(), project.id))
    monitor(chosen.id)
    run_settings(chosen)


@st.fragment(run_every="2s")
@guard()
def monitor(run_id: str) -> None:
    """What moves while a training goes on; drawn anew every two seconds, without the rest of the page."""
    run = get_run(session.home(), run_id)
    run_figures(run)
    run_controls(run)
    run_curves(run)
    run_log(run)


page()

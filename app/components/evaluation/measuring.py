"""Measuring runs by a job: the page shows its panel until the reports are there."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.kit.guard import end_page, plain
from app.kit.job_panel import job_panel
from app.state import studio
from avion_core.usecases.insight.evaluation import Report, kept_report
from avion_core.usecases.insight.measuring import evaluation_job, look_at_test_figures, start_evaluation
from avion_core.usecases.jobs import JobView
from avion_core.usecases.runs.views import RunView


def measured(run: RunView, split: str, title: str) -> Report:
    """A run's report; until it is there, the page ends here. On the test set it is a look."""
    if split == "test":
        look_at_test_figures(studio.home(), run.id)
    while (report := kept_report(studio.home(), run.id, split)) is None:
        need_measured([run.id], split, title)
    return report


def need_measured(runs: Sequence[str], split: str, title: str) -> None:
    """Have runs measured that have no report of their present student; the page ends here while that goes on."""
    home = studio.home()
    if all(kept_report(home, run, split) for run in runs):
        return
    job = evaluation_job(home, runs, split)
    if job is None or job.state == "finished":  # of others of these runs
        start_evaluation(home, runs, split)
        job = evaluation_job(home, runs, split)
    if job is not None and job.active:
        measuring_panel(job, title)
        end_page()
    if job is not None and job.state != "finished":
        measuring_failed(job)
        if st.button("Try again", icon=":material/refresh:", type="primary"):
            start_evaluation(home, runs, split)
            st.rerun()
        end_page()


def measuring_panel(job: JobView, title: str) -> None:
    """How far an evaluation is."""
    job_panel(studio.home(), job.id, title)


def measuring_failed(job: JobView) -> None:
    """Why there are no figures."""
    st.error(plain(job.error or "It was stopped."), title="The figures could not be made", icon=":material/error:")

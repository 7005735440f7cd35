"""Runs beside each other: curves overlaid, settings where they differ, and classes won and lost."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.components.evaluation.evaluation_panels import changes
from app.components.evaluation.measuring import need_measured
from app.components.evaluation.report_buttons import report_buttons
from app.components.runs import run_charts
from app.kit import charts
from app.kit.background import computed
from app.kit.guard import plain
from app.kit.job_panel import STATUSES
from app.state import studio
from avion_core.progress import Progress
from avion_core.usecases.insight.compare import Comparison, change_between, compare_runs
from avion_core.usecases.insight.evaluation import Change, MeasuredPart
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.views import RunView, right_on_validation

_COLUMNS = {
    "validation_accuracy": "Validation accuracy",
    "loss": "Loss",
    "warmup": "Warm-up weight w(t)",
    "scale": "Logit scale s",
}


def comparison(project: ProjectSummary, runs: Sequence[str]) -> None:
    """Everything that two or more runs can be compared by."""
    found = compare_runs(studio.home(), runs)
    with st.container(horizontal=True):
        for label, run in found.runs.items():
            colour, icon = STATUSES[run.status]
            counts = right_on_validation(studio.home(), run)
            reached = "" if counts is None else f" · {counts[0]:,} of {counts[1]:,} right"
            st.badge(f"{plain(label)}{reached}", icon=f":material/{icon}:", color=colour)
    _curves(found)
    st.markdown("**Settings that differ**")
    if found.settings.empty:
        st.caption("None: they were trained with the same settings.")
    else:
        st.dataframe(found.settings, hide_index=True, alt="Settings in which the runs differ")
    _students(project, found.runs)


def _curves(found: Comparison) -> None:
    tables = {label: each.table for label, each in found.curves.items()}
    panels = st.columns(2) + st.columns(2)
    for panel, (column, title) in zip(panels, _COLUMNS.items(), strict=True):
        with panel:
            st.markdown(f"**{title}**")
            shown = run_charts.overlaid(tables, column)
            st.plotly_chart(shown, key=f"overlaid_{column}", config=charts.QUIET, alt=f"{title} of each run")
    for label, each in found.curves.items():
        if each.statement:
            st.caption(f"{plain(label)}: {each.statement}")


def _students(project: ProjectSummary, runs: dict[str, RunView]) -> None:
    """Class by class on the validation images: what one student gets right that another got wrong."""
    st.markdown("**Classes won and lost**, on validation images that both were measured on")
    trained = {label: run for label, run in runs.items() if run.state == "finished"}
    if len(trained) < 2:
        st.caption("Select two finished runs.")
        return
    labels = list(trained)
    pinned = next((label for label, run in trained.items() if run.id == project.baseline_run), labels[-1])
    with st.container(horizontal=True):
        against = st.selectbox("Against", labels, index=labels.index(pinned), key="compare_against", width=360)
        others = [label for label in labels if label != against]
        chosen = st.selectbox("Run", others, key="compare_run", width=360)
    run, base = trained[chosen], trained[against]

    need_measured([run.id, base.id], "validation", "Evaluating both students")
    report_buttons([base, run])

    def compare(progress: Progress) -> list[tuple[MeasuredPart, Change]]:
        return change_between(studio.home(), run.id, base.id, progress=progress)

    parts = computed(f"change:{run.id}:{run.step}:{base.id}:{base.step}", "Comparing both students", compare)
    if not parts:
        st.info("They were trained under different protocols or on captions, so no classes can be compared.")
    names = {entry.key: entry.prompt_name for entry in project.classes}
    for part, found in parts:
        if part.title:
            st.markdown(f"**{plain(part.title)}**")
        of_part = {key: names.get(key, key) for key in part.classes}
        changes(found, of_part, plain(against), key=f"runs_{part.name}")

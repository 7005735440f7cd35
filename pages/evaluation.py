"""Evaluation: what the student gained, beside everything that would have cost less."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.evaluation import evaluation_panels as panels
from app.components.evaluation.measuring import measured
from app.components.evaluation.protocol_panels import seeds_panel, shots_panel
from app.components.evaluation.report_buttons import report_buttons
from app.kit.guard import plain
from app.state import confusion_cell, studio, visitor
from avion_core.usecases import policies
from avion_core.usecases.insight.evaluation import MeasuredPart, Report, change
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.choices import protocol_choices
from avion_core.usecases.runs.views import RunView, get_run

_VIEWS = {
    "methods": "Methods",
    "recalls": "Recalls",
    "protocol": "Over shots and seeds",
    "classes": "Classes",
    "change": "Change",
    "confusion": "Confusion",
    "mistakes": "Worst mistakes",
    "calibration": "Calibration",
}
_OF_CAPTIONS = ("methods", "recalls", "protocol")


def page() -> None:
    project = shell.need_project()
    run = shell.need_run(project, "Figures need a trained student.", students=False)
    split = split_choice(run.id)
    report = measured(run, split, f"Evaluating on the {split} images")
    panels.headline(get_run(studio.home(), run.id), report)
    report_buttons([run], test=split == "test")
    fits = [name for name in _VIEWS if (name in _OF_CAPTIONS if report.by_captions else name != "recalls")]
    view = st.segmented_control(
        "View",
        fits,
        default="methods",
        required=True,
        format_func=_VIEWS.__getitem__,
        key="evaluation_view",
        bind="query-params",
        label_visibility="collapsed",
    )
    if view == "methods":
        panels.methods(run.id, report)
    elif view == "recalls":
        panels.recalls(report)
    elif view == "protocol":
        (shots_panel if protocol_choices()[report.protocol].over_shots else seeds_panel)(run, split)
    else:
        by_part(project, run, report, view)


def split_choice(run_id: str) -> str:
    """Validation, unless somebody opens the sealed test set on purpose; that look is counted."""
    with st.container(horizontal=True, vertical_alignment="center"):
        opened = st.toggle(
            "Use the sealed test set",
            key=f"unsealed_{run_id}",
            disabled=not visitor.may(policies.UNSEAL),
            help="Tune on validation. Each look at the test set is recorded, and reports count the looks.",
        )
        st.caption(":material/lock_open: This look is recorded" if opened else ":material/lock: Validation images")
    return "test" if opened else "validation"


def by_part(project: ProjectSummary, run: RunView, report: Report, view: str) -> None:
    """A view of each set of classes that was measured apart."""
    names = {entry.key: entry.prompt_name for entry in project.classes}
    for part in report.parts:
        if part.title:
            st.subheader(plain(part.title))
        names_here = {key: names.get(key, key) for key in part.classes}
        if view == "classes":
            panels.per_class(report, part, names_here)
        elif view == "change":
            against_baseline(project, run, report, part, names_here)
        elif view == "confusion":
            matrix = f"{run.id}:{report.split}:{part.name}"
            texts_button(project.id, panels.confusion(project, run.id, matrix, report, part, names_here))
        elif view == "mistakes":
            panels.mistakes(project, run.id, report, part, names_here)
        else:
            panels.calibration(report, part)


def against_baseline(
    project: ProjectSummary, run: RunView, report: Report, part: MeasuredPart, names: dict[str, str]
) -> None:
    """Per-class change against the pinned run, or against the untrained student."""
    choices = {"": "the student's zero-shot"}
    pinned = project.baseline_run
    if pinned and pinned != run.id:
        choices[pinned] = f"the baseline “{plain(get_run(studio.home(), pinned).name)}”"
    chosen = st.segmented_control(
        "Against",
        list(choices),
        default=next(reversed(choices)),
        required=True,
        format_func=choices.__getitem__,
        key=f"against_{run.id}_{part.name}",
        help="Pin another baseline on the Runs page.",
    )
    baseline = None
    if chosen:
        baseline = measured(get_run(studio.home(), chosen), report.split, "Evaluating the baseline")
        if part.name not in {other.name for other in baseline.parts}:
            st.info("The baseline was trained for another protocol.", icon=":material/info:")
            return
    panels.changes(change(report, part.name, baseline), names, choices[chosen], f"{part.name}_{chosen}")


def texts_button(project_id: str, cell: tuple[str, str]) -> None:
    """To the texts that pull the two classes of a cell together."""
    if cell[0] != cell[1]:
        label = "Texts that pull these two together"
        if st.button(label, icon=":material/compare_arrows:", key=f"texts_{'_'.join(cell)}"):
            confusion_cell.pick(confusion_cell.texts_matrix(project_id), cell)
            shell.go("confusion")


page()

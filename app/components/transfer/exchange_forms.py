"""Descriptions out as a file, and in from one with a look at what it brings before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pandas as pd
import streamlit as st

from app.kit.background import computed
from app.kit.guard import plain
from app.state import studio
from avion_core.progress import Progress
from avion_core.usecases.curation.rules import current_rules
from avion_core.usecases.projects.descriptions import ImportReport, shown_class
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.transfer.exchange import Choice, Export, Form, Holdings, export_descriptions, export_name
from avion_core.wording import counted

_FORMS = {
    "jsonl": "JSON lines",
    "csv": "CSV",
    "parquet": "Parquet",
    "json": "Texts by class (JSON)",
}
_WHAT = {
    "jsonl": "One line per description with everything: its origin, scores and the whole history of decisions by all "
    "reviewers. Importing it again restores all of it, here or elsewhere.",
    "csv": "One row per description, for spreadsheets; the column `history` holds all decisions as JSON, so that "
    "importing it again loses nothing.",
    "parquet": "As JSON lines, typed and small, for data frames. Importing it again loses nothing.",
    "json": '`{"class": ["text", …]}`, the form that CuPL and code like it reads: texts as they read now, and nothing '
    "else. It is no backup.",
}
_CHOICES = {
    "kept": "Kept by the rules and by people",
    "accepted": "Accepted by people",
    "all": "All of them",
}
_SHOWN_PROBLEMS = 200


def export_form(project: ProjectSummary, held: Holdings) -> None:
    """Choose a form and take the file; it is made when the button is pressed."""
    if held.closed:
        st.info(plain(held.closed), icon=":material/visibility_off:")
        return
    form = cast(
        Form,
        st.segmented_control(
            "Form", list(_FORMS), format_func=_FORMS.__getitem__, default="jsonl", required=True, key="export_form"
        ),
    )
    st.caption(_WHAT[form])
    names = {entry.key: entry.prompt_name for entry in project.classes}
    classes = st.multiselect(
        "Classes", list(names), format_func=names.__getitem__, placeholder="All classes", key="export_classes"
    )
    choice: Choice = "all"
    scores = True
    if form == "json":
        choice = cast(Choice, st.radio("Which texts", list(_CHOICES), format_func=_CHOICES.__getitem__, key="texts"))
    else:
        scores = st.toggle(
            "With scores",
            value=True,
            key="export_scores",
            help="Similarity, robust z, cut, weight, RS-Flag with its reasons, kept and why, as they stand now. The "
            "teacher must be installed; texts it has not seen are embedded first.",
        )
    home = studio.home()

    def make(progress: Progress | None = None) -> Export:
        return export_descriptions(
            home, project.id, form, choice=choice, classes=classes or None, scores=scores, progress=progress
        )

    data: Callable[[], bytes] | bytes = lambda: make().content  # noqa: E731 (of two kinds)
    if scores and (form != "json" or choice == "kept"):
        # Scores can take a while the first time: the work is shown, and says why where they cannot be had.
        scored_by = (project.revision, tuple(names.values()), current_rules(home, project.id)[2])
        stamp = (project.id, *scored_by, held, form, choice, tuple(classes))
        made = computed(f"export:{hash(stamp)}", "Scoring the descriptions", make)
        data = made.content
        st.caption(f":material/description: {plain(made.sentence)}")
    st.download_button(
        f"Export {counted(held.descriptions, 'description')}" if not classes and choice == "all" else "Export",
        data,
        export_name(project.name, form, choice),
        icon=":material/download:",
        type="primary",
        on_click="ignore",
        key="export",
    )


def upload_key(project: ProjectSummary, held: Holdings, file_id: str, *options: object) -> str:
    """Names the look at a file: another file, other options or a change of the project call for another look."""
    return f"upload:{project.id}:{project.revision}:{file_id}:{hash((held, *options))}"


def import_report(report: ImportReport, *, new: int = 0) -> None:
    """What a file brings, in figures, with everything that cannot be used.

    Args:
        new: texts that will be of classes still to be made.
    """
    out = report.duplicates + len(report.problems) + sum(report.left_out.values())
    undecided = sum(report.unknown_classes.values()) - new
    with st.container(horizontal=True):
        st.metric("Descriptions to add", f"{report.added:,}", border=True)
        st.metric("Already there", f"{report.known:,}", border=True)
        st.metric("Decisions to add", f"{report.decisions.added:,}", border=True)
        st.metric("Left out", f"{out:,}", border=True)
        if undecided:
            st.metric("To be matched", f"{undecided:,}", border=True)
    people = ", ".join(f"{plain(name)} {count:,}" for name, count in report.decisions.reviewers.items())
    if people:
        st.caption(f":material/group: Decisions by {people}.")
    if new:
        st.caption(f"{counted(new, 'text')} more for the new classes.")
    if report.matched or report.taken_for:
        names = {**dict.fromkeys(report.taken_for), **dict.fromkeys(report.matched)}
        read = [f"{plain(written)} → {plain(report.taken_for[written])}" for written in names if written]
        st.caption(f":material/rule: Class names read as: {' · '.join(read)}.")
    if report.left_out:
        named = ", ".join(f"{plain(shown_class(name))} {count:,}" for name, count in report.left_out.items())
        st.caption(f":material/block: Left out: {named}.")
    if not report.changes and not undecided and not new:
        st.success("The project already has all of it; importing would change nothing.", icon=":material/check:")
    if report.duplicates:
        st.caption(f"{counted(report.duplicates, 'text')} left out as exact duplicates within their class.")
    if report.cleaned:
        st.caption(f"List marks, emphasis, HTML or introductions taken off {counted(report.cleaned, 'text')}.")
    if report.problems:
        shown = report.problems[:_SHOWN_PROBLEMS]
        some = f"; the first {len(shown):,} of them" if len(shown) < len(report.problems) else ""
        st.caption(f"{len(report.problems):,} could not be used{some}:")
        st.dataframe(pd.DataFrame({"what is wrong": shown}), hide_index=True, alt="Entries that could not be used")

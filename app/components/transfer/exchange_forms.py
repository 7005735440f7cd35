"""Descriptions out as a file, and in from one with a look at what it brings before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.kit.background import computed
from app.kit.guard import plain
from app.state import notices, studio
from avion_core.progress import Progress
from avion_core.usecases.curation.rules import current_rules
from avion_core.usecases.projects.descriptions import ImportReport, import_upload
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
        f"Export {held.descriptions:,} descriptions" if not classes and choice == "all" else "Export",
        data,
        export_name(project.name, form, choice),
        icon=":material/download:",
        type="primary",
        on_click="ignore",
        key="export",
    )


def upload_form(project: ProjectSummary, held: Holdings) -> None:
    """A file, what it would bring, and the button that brings it."""
    file = st.file_uploader(
        "File of descriptions",
        type=["jsonl", "csv", "parquet", "json"],
        key="import_file",
        help="An export of AVION Studio, or any JSON lines, CSV or Parquet with a class and a text, or one JSON object "
        'like {"class": ["text", "text"]}.',
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split = st.toggle(
            "Split long texts into sentences",
            key="import_split",
            help="One description per sentence; the long text is kept beside it. Exports are never split again.",
        )
        writer = st.text_input("Written by", key="import_writer", placeholder="where the file does not say", width=280)
    if file is None:
        st.caption("Nothing is imported before you have seen what is in the file.")
        return

    def bring(*, preview: bool) -> ImportReport:
        return import_upload(
            studio.home(),
            project.id,
            file.name,
            file.getvalue(),
            split_sentences=split,
            writer=writer.strip() or None,
            preview=preview,
        )

    key = upload_key(project, held, file, split, writer)
    report = computed(key, f"Reading {file.name}", lambda _: bring(preview=True))
    import_report(report)
    label = f"Import {counted(report.added, 'description')} and {counted(report.decisions.added, 'decision')}"
    if st.button(label, icon=":material/upload_file:", type="primary", disabled=not report.changes):
        with st.spinner("Importing"):
            done = bring(preview=False)
        notices.say_after_rerun(done.sentence)
        st.rerun()


def upload_key(project: ProjectSummary, held: Holdings, file: UploadedFile, *options: object) -> str:
    """Names the look at an upload: another file, other options or a change of the project call for another look."""
    return f"upload:{project.id}:{project.revision}:{file.file_id}:{hash((held, *options))}"


def import_report(report: ImportReport) -> None:
    """What a file brings, in figures, with everything that cannot be used."""
    with st.container(horizontal=True):
        st.metric("Descriptions to add", f"{report.added:,}", border=True)
        st.metric("Already there", f"{report.known:,}", border=True)
        st.metric("Decisions to add", f"{report.decisions.added:,}", border=True)
        st.metric("Left out", f"{report.duplicates + len(report.problems):,}", border=True)
    people = ", ".join(f"{plain(name)} {count:,}" for name, count in report.decisions.reviewers.items())
    if people:
        st.caption(f":material/group: Decisions by {people}.")
    if not report.changes:
        st.success("The project already has all of it; importing would change nothing.", icon=":material/check:")
    if report.duplicates:
        st.caption(f"{counted(report.duplicates, 'text')} left out as exact duplicates within their class.")
    if report.cleaned:
        st.caption(f"List marks, emphasis, HTML or introductions taken off {counted(report.cleaned, 'text')}.")
    if report.unknown_classes:
        st.warning(
            "To import their texts, add these classes first: "
            + ", ".join(f"{plain(name)} ({count:,})" for name, count in report.unknown_classes.items()),
            title=f"{sum(report.unknown_classes.values()):,} texts are of classes that this project does not have",
            icon=":material/warning:",
        )
    if report.problems:
        shown = report.problems[:_SHOWN_PROBLEMS]
        some = f"; the first {len(shown):,} of them" if len(shown) < len(report.problems) else ""
        st.caption(f"{len(report.problems):,} could not be used{some}:")
        st.dataframe(pd.DataFrame({"what is wrong": shown}), hide_index=True, alt="Entries that could not be used")

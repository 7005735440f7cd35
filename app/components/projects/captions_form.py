"""Captions of a project's images: what there is, and a caption file to import."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.kit.guard import plain
from app.state import studio
from avion_core.usecases.projects.captions import caption_counts, captions_in_words, import_captions
from avion_core.usecases.projects.summaries import ProjectSummary

_SHOWN = 20


def captions_form(project: ProjectSummary) -> None:
    """Count the captions, and import others in their place."""
    above = st.container()
    with (
        st.form(f"captions_{project.id}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        file = st.text_input(
            "Caption file", placeholder="/data/dataset_rsicd.json", key=f"captions_file_{project.id}", width=480
        )
        asked = st.form_submit_button(
            "Import captions",
            icon=":material/subtitles:",
            help="A JSON as RSITMD and RSICD have it. Its captions take the place of those that there are.",
        )
    if asked and file.strip():
        report = import_captions(studio.home(), project.id, Path(file.strip()))
        st.success(plain(report.sentence), icon=":material/check:")
        for problem in report.problems[:_SHOWN]:
            st.caption(f"{plain(problem.path)}: {plain(problem.message)}")
        if len(report.problems) > _SHOWN:
            st.caption(f"And {len(report.problems) - _SHOWN:,} more.")
    counts = caption_counts(studio.home(), project.id)
    said = f"{captions_in_words(counts)}." if counts else "No captions yet."
    above.markdown(f"{said} Images and captions teach a student to find each other (protocol Retrieval).")

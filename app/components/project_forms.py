"""Forms that bring something in: a folder of images as a project, a file of descriptions."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import session
from app.components.background import Progress, computed
from avion_core.errors import AvionError
from avion_core.studio.descriptions import import_descriptions
from avion_core.studio.projects import ProjectSummary, create_project


def import_form(project: ProjectSummary) -> None:
    """Descriptions from a file on this computer."""
    box = st.expander("Import descriptions", icon=":material/upload_file:", expanded=not project.descriptions)
    with box, st.form("import_descriptions", border=False):
        path = st.text_input("File", placeholder="/data/descriptions.jsonl", help="JSONL, CSV, or one JSON object")
        split = st.toggle("Split long texts into sentences", help="The long text is kept beside its sentences.")
        if st.form_submit_button("Import", icon=":material/upload_file:"):
            report = import_descriptions(session.home(), project.id, Path(path.strip()), split_sentences=split)
            session.say_after_rerun(report.sentence)
            st.rerun()


def project_form() -> None:
    """A project from a folder; reading a large one goes on in the background."""
    asked = session.asked_project()
    box = st.expander("Create a project from a folder", icon=":material/create_new_folder:", expanded=bool(asked))
    with box:
        with st.form("new_project", border=False):
            name = st.text_input("Name", placeholder="Harbours 2026")
            folder = st.text_input("Image folder", placeholder="/data/scenes", help="One folder per class, or flat.")
            labels = st.text_input("Label table (optional)", placeholder="/data/labels.csv with path, label, group")
            if st.form_submit_button("Create the project", icon=":material/add:", type="primary"):
                asked = (name, folder.strip(), labels.strip())
                session.ask_project(asked)
        if asked:
            _create(*asked)


def _create(name: str, folder: str, labels: str) -> None:
    def create(progress: Progress) -> ProjectSummary:
        table = Path(labels) if labels else None
        return create_project(session.home(), name, Path(folder), labels=table, progress=progress)

    try:
        project = computed(f"create:{name}:{folder}:{labels}", f"Reading {folder}", create)
    except AvionError:
        session.ask_project(None)
        raise
    session.ask_project(None)
    session.choose(session.PROJECT, project.id)
    session.say_after_rerun(f"{project.name} is open")
    st.rerun()

"""Export student: a trained student as a file that loads anywhere the library is installed."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.kit.background import computed
from app.kit.guard import plain
from app.state import studio
from avion_core.progress import Progress
from avion_core.usecases.insight.prediction import export_student


def page() -> None:
    project = shell.need_project()
    run = shell.need_run(project, "What is exported is a trained student.")
    st.markdown(
        "A zip of the trained prompts (not the backbone), the rendering recipe and a README with the lines of Python "
        "that load it."
    )

    def pack(progress: Progress) -> bytes:
        return export_student(studio.home(), run.id)

    packed = computed(f"export:{run.id}:{run.step}", "Packing the student", pack)
    st.download_button(
        f"Download the student ({len(packed) / 1e6:.1f} MB)",
        packed,
        f"avion-student-{run.id}.zip",
        "application/zip",
        icon=":material/download:",
        type="primary",
    )
    st.caption(
        f"Needs the backbone {plain(run.config.student)} wherever it is loaded. Classes: {len(project.classes)}."
    )


page()

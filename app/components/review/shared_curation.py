"""The shared curation as pages get it: made once, kept, and seen with the reviewer's eyes.

Apart from the shell, since it brings the models' library along.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.kit.background import computed
from app.kit.guard import empty_state, end_page
from app.shell import go_button, need_labels
from app.state import studio
from avion_core.progress import Progress
from avion_core.usecases.curation import ReviewerView, SharedCuration, curation_table, reviewer_view
from avion_core.usecases.curation.rules import current_rules
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.summaries import ProjectSummary

FIGURES_HIDDEN = "This review is blind: figures that depend on others' verdicts appear once you have judged every text."


def need_curation(project: ProjectSummary) -> ReviewerView:
    """Every description with the figures that keep or cut it; without descriptions, an empty state, and the page ends.

    The first look computes features (minutes for a large teacher), so it runs beside the page; later looks find them
    and only take in the verdicts given since.
    """
    if not project.descriptions:
        with empty_state(
            "description",
            "No descriptions yet",
            "Import a file of class descriptions (JSONL, CSV, or one JSON object of class and texts).",
        ):
            go_button("Import descriptions", "projects", "upload_file")
        end_page()
    need_labels(project)
    home = studio.home()
    state = (
        project.descriptions,
        project.revision,
        str(project.image_root),
        tuple(entry.prompt_name for entry in project.classes),
        current_rules(home, project.id)[2],
    )
    computed(
        f"features:{project.id}:{project.descriptions}:{project.revision}",
        "Computing the teacher's features",
        lambda progress: _held(home, project.id, state, progress),
    )
    return reviewer_view(home, _held(home, project.id, state))


@st.cache_resource(max_entries=4, show_spinner=False)
def _held(_home: Home, project: str, state: tuple[Any, ...], _progress: Progress | None = None) -> SharedCuration:
    """The curation as it follows from `state`: texts, images and their labels and place, class names, rules."""
    return SharedCuration(curation_table(_home, project, progress=_progress))

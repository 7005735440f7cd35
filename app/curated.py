"""The curation that review and decisions look at; apart from the shell, since it brings the models' library along."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.components.background import Progress, computed
from app.components.guard import empty_state
from app.shell import go_button
from avion_core.studio.candidates import read_candidates
from avion_core.studio.curation import Curation, curation_table
from avion_core.studio.home import Home
from avion_core.studio.projects import ProjectSummary
from avion_core.studio.rules import current_rules


def need_curation(project: ProjectSummary) -> Curation:
    """Every description with every figure behind its fate; without descriptions, an empty state, and the page ends.

    The first look computes features (minutes for a large teacher), so it runs beside the page; later looks find them
    cached and take milliseconds.
    """
    if not project.descriptions:
        with empty_state(
            "description",
            "No descriptions yet",
            "Import a file of class descriptions (JSONL, CSV, or one JSON object of class and texts).",
        ):
            go_button("Import descriptions", "projects", "upload_file")
        st.stop()
    home = session.home()
    candidates = read_candidates(home, project.id)
    state = (
        project.descriptions,
        tuple(entry.prompt_name for entry in project.classes),
        current_rules(home, project.id)[2],
        int(pd.util.hash_pandas_object(candidates.drop(columns=["parent"])).sum()),
    )
    computed(
        f"features:{project.id}:{project.descriptions}",
        "Computing the teacher's features",
        lambda progress: _curation(home, project.id, state, progress),
    )
    return _curation(home, project.id, state)


@st.cache_resource(max_entries=4, show_spinner=False)
def _curation(_home: Home, project: str, state: tuple[Any, ...], _progress: Progress | None = None) -> Curation:
    """The curation as it follows from `state`: texts, verdicts, class names and rules. Sliders ask for it again."""
    return curation_table(_home, project, progress=_progress)

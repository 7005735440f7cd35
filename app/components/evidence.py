"""What speaks for and against one description: rules, scores, pictures, and who decided before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import session
from app.components.explain import figures
from app.components.gallery import gallery
from avion_core.studio.curation import Evidence, evidence, history
from avion_core.studio.projects import ProjectSummary

_ACTIONS = {
    "accept": (":material/check_circle:", "accepted it"),
    "reject": (":material/cancel:", "rejected it"),
    "edit": (":material/edit:", "edited it"),
    "skip": (":material/skip_next:", "skipped it"),
    "undecide": (":material/radio_button_unchecked:", "took the verdict back"),
    "undo": (":material/undo:", "undid a decision"),
}


def rules_panel(row: Mapping[str, Any]) -> None:
    """Every RS-Flag rule's verdict in words."""
    flagged = "earns the RS-Flag" if row["flag"] else "does not earn the RS-Flag"
    lines = [f"**This text {flagged}**"]
    for reason in row["reasons"]:
        icon = ":blue[:material/check:]" if reason["passed"] else ":orange[:material/close:]"
        lines.append(f"{icon} {reason['sentence']}")
    st.markdown("  \n".join(lines))


def scores_panel(row: Mapping[str, Any], class_similarities: Sequence[float], n_eff: float, zeta: float) -> None:
    """Similarity, robust z, weight and influence: a figure and a sentence each."""
    with st.grid(2, gap="small", border=True) as grid:
        for figure in figures(row, class_similarities, n_eff, zeta):
            with grid.cell(), st.container(gap="xxsmall"):
                st.markdown(f"{figure.name} &ensp;**{figure.value}**")
                st.caption(figure.sentence)


def evidence_panel(project: ProjectSummary, description_id: str, text: str) -> None:
    """The class's TRAINING images that the text matches best and worst (never validation or test images)."""
    found = _evidence(project.id, description_id, text)
    for title, images in (("Training images it matches best", found.best), ("and worst", found.worst)):
        st.markdown(f"**{title}**")
        captions = [f"{image.similarity:.3f}" for image in images]
        gallery([image.path for image in images], captions, project.recipe, columns=4, side=64)


@st.cache_data(max_entries=500, show_spinner=False)
def _evidence(project: str, description_id: str, text: str) -> Evidence:
    """`text` as it reads now is part of the key: an edited one is matched anew."""
    return evidence(session.home(), project, description_id)


def history_panel(project: ProjectSummary, description_id: str) -> None:
    """Who decided what and when, the newest first."""
    entries = history(session.home(), project.id, description_id)
    with st.expander(f"History ({len(entries)})", icon=":material/history:"):
        if not entries:
            st.caption("Nobody has judged this text yet.")
        for entry in reversed(entries):
            icon, did = _ACTIONS[entry.verdict]
            st.markdown(f"{icon} **{entry.reviewer}** {did} · {entry.created_at:%Y-%m-%d %H:%M} UTC")
            if entry.verdict == "edit":
                st.text(entry.text)
            if entry.reason:
                st.caption(entry.reason)

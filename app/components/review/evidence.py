"""What speaks for and against one description: rules, scores, pictures, its nearest rival, and who decided before."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import streamlit as st

from app.kit.explain import figures
from app.kit.gallery import picture_row
from app.kit.guard import plain
from app.kit.score_strip import COLUMNS, score_strip
from app.kit.word_diff import word_diff
from app.state import studio
from avion_core.usecases.curation import Evidence, ReviewerView, confusable, evidence, history
from avion_core.usecases.projects.summaries import ProjectSummary

_ACTIONS = {
    "accept": (":material/check_circle:", "accepted it"),
    "reject": (":material/cancel:", "rejected it"),
    "edit": (":material/edit:", "edited it"),
    "skip": (":material/skip_next:", "skipped it"),
    "undecide": (":material/radio_button_unchecked:", "cleared the verdict"),
    "undo": (":material/undo:", "undid a decision"),
}


def evidence_of(project: ProjectSummary, seen: ReviewerView, description_id: str) -> None:
    """Everything about one description: reasons and figures on the left, pictures and history on the right."""
    (row,) = seen.records([description_id])
    reasons, pictures = st.columns([11, 9], gap="large")
    with reasons:
        reasons_panel(seen, row)
    with pictures:
        evidence_column(project, seen, row)


def reasons_panel(seen: ReviewerView, row: Mapping[str, Any]) -> None:
    """Why the description counts as it does: kept or cut, every rule in words, and each figure with a sentence."""
    icon = {True: "check", False: "block"}.get(row["kept"], "visibility_off")
    st.markdown(f":material/{icon}: **{plain(row['why'])}**")
    flagged = (
        "reads like an overhead view (RS-Flag)" if row["flag"] else "does not read like an overhead view (RS-Flag)"
    )
    lines = [f"**This text {flagged}**"]
    for reason in row["reasons"]:
        sign = ":blue[:material/check:]" if reason["passed"] else ":orange[:material/close:]"
        lines.append(f"{sign} {plain(reason['sentence'])}")
    st.markdown("  \n".join(lines))
    similarities = seen.of_class(row["class_key"], ["similarity"])["similarity"].tolist()
    n_eff = seen.curation.n_eff[row["class_key"]]
    with st.grid(2, gap="small", border=True) as grid:
        for figure in figures(row, similarities, n_eff, seen.curation.zeta):
            with grid.cell():
                st.markdown(f"{figure.name} &ensp;**{figure.value}**  \n:small[{figure.sentence}]")


def evidence_column(project: ProjectSummary, seen: ReviewerView, row: Mapping[str, Any]) -> None:
    """Pictures, the place among its class, the nearest text of another class, and the history."""
    _pictures(project, evidence(seen.curation, row["description_id"]))
    scores = seen.of_class(row["class_key"], COLUMNS)
    score_strip(scores, row["description_id"], alt="This text among the similarities of its class")
    _rival(project, seen, row)
    history_panel(project, row["description_id"], row["original"])


def _pictures(project: ProjectSummary, found: Evidence) -> None:
    """The class's TRAINING images that a text matches best and worst (never validation or test images)."""
    for title, images in (("Training images it matches best", found.best), ("and worst", found.worst)):
        st.markdown(f"**{title}**")
        captions = [f"{image.similarity:.3f}" for image in images]
        picture_row([image.path for image in images], captions, project.recipe)


def _rival(project: ProjectSummary, seen: ReviewerView, row: Mapping[str, Any]) -> None:
    """The text of another class that is hardest to tell from this one."""
    rival = confusable(seen.curation, row["description_id"])
    if rival is None:
        return
    names = {entry.key: entry.prompt_name for entry in project.classes}
    st.markdown(f"**Nearest text of another class** &ensp;{rival.similarity:.3f} · {plain(names[rival.class_key])}")
    st.markdown(f"“{plain(rival.text)}”")
    st.caption("The most similar pair for the teacher: mention what only one of the classes has.")


def history_panel(project: ProjectSummary, description_id: str, original: str) -> None:
    """Who decided what, when, why and under which rules, the newest first.

    Args:
        original: the text as it was written, to show what the first edit changed.
    """
    entries = history(studio.home(), project.id, description_id)
    wordings = [original, *(entry.text for entry in entries if entry.verdict == "edit")]
    edits = list(pairwise(wordings))
    with st.expander(f"History ({len(entries)})", icon=":material/history:"):
        if not entries:
            st.caption("Nobody has judged this text yet.")
        for entry in reversed(entries):
            icon, did = _ACTIONS[entry.verdict]
            rules = f"rules version {entry.rule_version}" if entry.rule_version else "the default rules"
            means = " as adjudicator" if entry.adjudicates else " in bulk" if entry.batch else ""
            st.markdown(f"{icon} **{plain(entry.reviewer)}** {did}{means}")
            if entry.verdict == "edit":
                st.markdown(_marked(*edits.pop()))
            if entry.reason:
                st.markdown(f"“{plain(entry.reason)}”")
            st.caption(f"{entry.created_at:%Y-%m-%d %H:%M} UTC · under {rules}")


def _marked(before: str, after: str) -> str:
    """An edit in one line: what was taken out struck through, what came in bold."""
    signs = {"same": "{}", "gone": ":orange[~~{}~~]", "new": ":blue[**{}**]"}
    return " ".join(signs[kind].format(plain(words)) for kind, words in word_diff(before, after))

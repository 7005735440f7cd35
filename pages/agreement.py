"""Agreement: how alike reviewers judge, where they disagree, and the adjudicator's word on it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import shell
from app.components.review.evidence import evidence_column, reasons_panel
from app.components.review.shared_curation import need_curation
from app.components.review.verdict_table import undo_button
from app.kit.guard import guard, plain
from app.state import notices, studio, visitor, walks, widgets
from avion_core.usecases import policies
from avion_core.usecases.curation import Decision, record_verdict
from avion_core.usecases.curation.agreement import Agreement, agreement, conflicts, set_blind
from avion_core.usecases.projects.summaries import ProjectSummary


def page() -> None:
    project = shell.need_project()
    blind_switch(project)
    names = {entry.key: entry.prompt_name for entry in project.classes}
    figures(agreement(studio.home(), project.id), names)
    st.subheader("Conflicts")
    open_conflicts = conflicts(studio.home(), project.id)
    if open_conflicts.empty:
        st.markdown(":material/handshake: No conflicts: no description is both accepted and rejected.")
        with st.container(horizontal=True):
            shell.go_button("Review descriptions", "review", "rate_review")
            shell.go_button("Send some to a colleague", "exchange", "outbox", primary=False)
        return
    queue(project, open_conflicts, names)


def blind_switch(project: ProjectSummary) -> None:
    """Blind review on or off, for those who may decide it."""
    may = visitor.may(policies.ADJUDICATE)
    st.toggle(
        "Blind review",
        project.blind,
        key=f"blind_{project.id}_{project.blind}",
        disabled=not may,
        on_change=switch_blind,
        args=(project.id, not project.blind),
        help="Reviewers see the verdicts of others on a description only after their own."
        + ("" if may else " Only an adjudicator or an admin can switch it."),
    )


def switch_blind(project: str, on: bool) -> None:
    with guard():
        set_blind(studio.home(), project, on)


def figures(found: Agreement, names: dict[str, str]) -> None:
    """Kappa or alpha with what it means, and where agreement is weak."""
    shown = "–"
    if found.alpha is not None and len(found.reviewers) > 2:
        name, shown = "Krippendorff's alpha", f"{found.alpha:.2f}"
    else:
        name = "Cohen's kappa"
        shown = shown if found.kappa is None else f"{found.kappa:.2f}"
    meaning = "1 is perfect agreement, 0 what chance alone would give; below 0.4, make the class cards clearer."
    with st.grid(3):
        st.metric("Reviewers", len(found.reviewers), border=True)
        st.metric("Judged by two or more", f"{found.items:,}", border=True)
        st.metric(name, shown, border=True, help=meaning)
    st.markdown(plain(found.sentence))
    if not found.pairs.empty:
        with st.expander("By pair and by class", icon=":material/group:"):
            pairs, classes = st.columns([2, 3])
            pairs.dataframe(found.pairs, hide_index=True, alt="Agreement of each pair of reviewers")
            named = found.per_class.assign(**{"class": found.per_class["class_key"].map(names)})
            columns = ["class", *(column for column in found.per_class.columns if column != "class_key")]
            classes.dataframe(named[columns], hide_index=True, alt="Agreement in each class")


def queue(project: ProjectSummary, waiting: pd.DataFrame, names: dict[str, str]) -> None:
    """One conflict with both sides and the evidence; an adjudicator's word settles it."""
    ids = waiting["description_id"].tolist()
    place = walks.place_in("conflict", ids)
    conflict = waiting.iloc[place]
    seen = need_curation(project)
    (row,) = seen.records([ids[place]])
    deciding, evidence = st.columns([11, 9], gap="large")
    with deciding:
        with st.container(horizontal=True, vertical_alignment="center"):
            for label, icon, key, there in (
                ("Previous", "arrow_back", "Left", place - 1),
                ("Next", "arrow_forward", "Right", place + 1),
            ):
                st.button(
                    label,
                    icon=f":material/{icon}:",
                    shortcut=key,
                    disabled=not 0 <= there < len(ids),
                    on_click=walks.go_to,
                    args=("conflict", ids[there % len(ids)]),
                )
            st.caption(f"Conflict {place + 1:,} of {len(ids):,} · {plain(names[conflict['class_key']])}")
        st.markdown(f"#### {plain(conflict['text'])}")
        for word, side in (("Accepted", conflict["accepts"]), ("Rejected", conflict["rejects"])):
            st.markdown(f"**{word}** by {plain(', '.join(side))}")
        decide(project, ids[place], conflict["text"])
        reasons_panel(seen, row)
    with evidence:
        evidence_column(project, seen, row)


def decide(project: ProjectSummary, description_id: str, text: str) -> None:
    """The adjudicator's buttons; others read who can settle it."""
    if not visitor.may(policies.ADJUDICATE):
        st.caption("An adjudicator settles it, or one of you changes the verdict on the review page.")
        return
    st.text_input("Why (optional)", key=f"why_{description_id}", max_chars=300)
    with st.container(horizontal=True):
        # The id is part of the buttons' names: a key pressed for this text never settles the next one.
        choices: list[tuple[Decision, str, str]] = [("accept", "check_circle", "A"), ("reject", "cancel", "X")]
        for verdict, icon, key in choices:
            st.button(
                verdict.capitalize(),
                icon=f":material/{icon}:",
                shortcut=key,
                type="primary" if verdict == "accept" else "secondary",
                key=f"{verdict}_{description_id}",
                on_click=settle,
                args=(project.id, description_id, verdict, text),
            )
        undo_button(project)


def settle(project: str, description_id: str, verdict: Decision, shown: str) -> None:
    home, reason = studio.home(), widgets.typed(f"why_{description_id}")
    with guard():
        record_verdict(home, project, description_id, verdict, shown=shown, reason=reason, adjudicates=True)
        notices.say_after_rerun("Settled · U undoes it")


page()

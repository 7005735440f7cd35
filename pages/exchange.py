"""Import & export: descriptions and verdicts out and in, a report to hand over, reviews that happen elsewhere."""

from __future__ import annotations

import streamlit as st

from app import shell
from app.components.evaluation.report_buttons import report_buttons
from app.components.projects.next_step import next_step
from app.components.transfer.exchange_forms import export_form
from app.components.transfer.import_form import import_form
from app.components.transfer.review_packs import merge_form, open_form, opened_pack, pack_form
from app.kit.guard import empty_state, plain
from app.state import studio
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.transfer.exchange import Holdings, holdings


def page() -> None:
    project = shell.need_project()
    held = holdings(studio.home(), project.id)
    figures(held)
    opened_pack(project)
    first = shell.IMPORT_TAB if not held.descriptions else None
    out, back_in, reviews = st.tabs(
        ["Export", shell.IMPORT_TAB, "Review elsewhere"], default=first, key=shell.EXCHANGE_TAB, bind="query-params"
    )
    # One tab at a time: an export scores every text, which nobody asks for who came to import.
    if out.open:
        with out:
            export(project, held)
    if back_in.open:
        with back_in:
            if held.descriptions:
                next_step(project)
            import_form(project, held)
    if reviews.open:
        with reviews:
            review_elsewhere(project, held)


def figures(held: Holdings) -> None:
    with st.container(horizontal=True):
        st.metric("Descriptions", f"{held.descriptions:,}", border=True)
        st.metric("Judged by people", f"{held.judged:,}", border=True)
        st.metric(
            "Decisions on record",
            f"{held.decisions:,}",
            border=True,
            help="The whole history of all reviewers, with what was skipped, undone or changed.",
        )


def export(project: ProjectSummary, held: Holdings) -> None:
    if not held.descriptions:
        text = f"{plain(project.name)} has none to export. Import a file, or generate some."
        with empty_state("description", "No descriptions yet", text):
            shell.import_button()
            shell.go_button("Ask a writer", "generate", "edit", primary=False)
        return
    export_form(project, held)
    if runs := shell.trained_runs(project):
        st.space("small")
        st.markdown(f"**The newest training, {plain(runs[0].name)}**, with its figures, map, mistakes and texts:")
        report_buttons(runs[:1])


def review_elsewhere(project: ProjectSummary, held: Holdings) -> None:
    st.markdown(
        "A colleague outside this network can review in a file: you send texts, scores and small pictures, "
        "and get verdicts back. Nobody's decision is overwritten; where people disagree, the text is in conflict."
    )
    with st.expander("Send descriptions to a colleague", icon=":material/outbox:", expanded=True):
        if held.descriptions:
            pack_form(project)
        else:
            st.markdown(":material/info: There are no descriptions to send yet.")
    with st.expander("Merge verdicts sent back", icon=":material/move_to_inbox:"):
        merge_form(project, held)
    with st.expander("Open a pack you received", icon=":material/folder_zip:"):
        open_form()


page()

"""Review: one description at a time or a table, with every figure behind it and the pictures it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st

from app import shell
from app.components.review.evidence import evidence_column, evidence_of, reasons_panel
from app.components.review.filters import Filters, review_filters, sent_banner
from app.components.review.review_card import AHEAD, BEHIND, card_item, review_card
from app.components.review.review_progress import overview, progress_tables
from app.components.review.shared_curation import need_curation
from app.components.review.verdict_table import verdict_table
from app.components.review.waiting import mark_done, sent_ahead
from app.kit.guard import empty_state
from app.outbox.browser import draw_outbox
from app.outbox.moving import moving
from app.state import filter_values, work_lists
from app.state.work_lists import WorkList
from avion_core.usecases.curation import ReviewerView
from avion_core.usecases.projects.summaries import ProjectSummary

ONE, TABLE = "one at a time", "table"


def page() -> None:
    project = shell.need_project()
    seen = need_curation(project)
    sent = shell.need_sent(work_lists.REVIEW_CARD, seen.places)
    filters = review_filters(project, seen, sent)
    sent_banner(sent)
    if not review_list(project, seen, filters).order:
        with empty_state("filter_alt_off", "No description fits these filters", "Loosen the filters to see more."):
            st.button("Clear the filters", key="clear_all", type="primary", on_click=filter_values.clear)
        overview(seen)
        return
    moving(partial(judging, filters), project)


def judging(filters: Filters, project: ProjectSummary) -> None:
    """What moves with each verdict: the card or the table, the evidence, and how far the review is."""
    seen = need_curation(project)
    names = {entry.key: entry.prompt_name for entry in project.classes}
    work_list = review_list(project, seen, filters)
    with st.container(horizontal=True, vertical_alignment="center"):
        mode = st.segmented_control(
            "Show",
            [ONE, TABLE],
            default=ONE,
            required=True,
            key="view",
            bind="query-params",
            label_visibility="collapsed",
            width="content",
        )
        if st.button("Refresh the list", icon=":material/refresh:", type="tertiary", help=LAY_OUT):
            work_lists.refresh_review_list()
            st.rerun()
        shell.import_button("tertiary")
        if st.button("Train a student", icon=":material/rocket_launch:", type="tertiary", key="review_train"):
            shell.go("launch")
        draw_outbox()
    show = show_table if mode == TABLE else show_card
    show(project, seen, work_list, names)
    overview(seen)  # below: what is judged, why, and by which key fits the first screen of a laptop
    progress_tables(project, seen, names)


def review_list(project: ProjectSummary, seen: ReviewerView, filters: Filters) -> WorkList:
    """The texts that the filters let pass, in an order that stays while they do."""
    signature = (len(seen.table), filters)
    return work_lists.filtered(work_lists.REVIEW_CARD, project.id, signature, lambda: filters.listing(seen.table))


LAY_OUT = "While you review, the list and its order stay the same. This filters and sorts it again."


def show_card(project: ProjectSummary, seen: ReviewerView, work_list: WorkList, names: Mapping[str, str]) -> None:
    """One description with its evidence beside it."""
    judging, evidence = st.columns([11, 9], gap="large")
    mark_done(work_list, seen.table)
    ids, more = sent_ahead(work_list, AHEAD, BEHIND)
    rows = {row["description_id"]: row for row in seen.cards(ids)}
    with judging:
        items = [
            card_item(
                row, place=work_list.places[key], class_name=names[row["class_key"]], waits=key not in work_list.done
            )
            for key, row in rows.items()
        ]
        review_card(work_list, items, more=more, read_up_to=seen.curation.read_up_to.newest)
    if work_list.cursor:
        (row,) = seen.records([work_list.cursor])
        with judging:
            reasons_panel(seen, row)
            shell.sheet_button(row["class_key"], names[row["class_key"]])
        with evidence:
            evidence_column(project, seen, row)


def show_table(project: ProjectSummary, seen: ReviewerView, work_list: WorkList, names: Mapping[str, str]) -> None:
    """The view as a table; the one description that is selected shows its evidence below."""
    columns = ["class", "flag", "similarity", "z", "weight", "influence", "kept or cut", "mine", "writer"]
    chosen = verdict_table(project, seen, work_list.order, names, columns=columns)
    if chosen is None:
        st.caption("Select one description to see its evidence, or several to judge them together.")
    else:
        evidence_of(project, seen, chosen)


page()

"""Review: one description at a time, with every figure behind its fate and the pictures it speaks of."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app import session, shell
from app.components import charts
from app.components.evidence import evidence_panel, history_panel, rules_panel, scores_panel
from app.components.filters import review_filters
from app.components.guard import empty_state
from app.components.progress import class_progress, progress_line
from app.components.review_card import AHEAD, BEHIND, card_item, review_card
from app.curated import need_curation
from avion_core.studio.curation import Curation, record_verdict, undo
from avion_core.studio.projects import ProjectSummary


def page() -> None:
    project = shell.need_project()
    take_waiting(project)
    curation = need_curation(project)
    table = curation.table
    progress_line(table)
    view, signature = review_filters(project, table, curation.zeta)
    if view.empty:
        with empty_state("filter_alt_off", "No description fits these filters", "Loosen them to go on."):
            st.button("Clear the filters", type="primary", on_click=session.clear_filters)
        return
    desk = session.review_desk((project.id, *signature), view["description_id"], start=first_to_judge(view))
    rows = table.set_index("description_id", drop=False)
    names = {entry.key: entry.prompt_name for entry in project.classes}
    judging, evidence = st.columns([11, 9], gap="large")
    with judging:
        first = max(0, desk.place - BEHIND)
        near = desk.order[first : desk.place + AHEAD]
        items = [
            card_item(row, place=place, class_name=names[row["class_key"]])
            for place, row in enumerate(records(rows.loc[near]), first)
        ]
        review_card(desk, items)
    if desk.cursor:
        (row,) = records(rows.loc[[desk.cursor]])
        of_class = table[table["class_key"] == row["class_key"]]
        with judging:
            explain(row, of_class, curation)
        with evidence:
            evidence_panel(project, desk.cursor, row["text"])
            st.plotly_chart(
                charts.score_strip(of_class, desk.cursor),
                config=charts.QUIET,
                key="score_strip",
                alt="This text among the similarities of its class",
            )
            history_panel(project, desk.cursor)
    class_progress(table, names)


def take_waiting(project: ProjectSummary) -> None:
    """Write down what the browser's queue holds, in order, each decision once."""
    desk = session.current_desk()
    if desk is None:
        return
    for decision in desk.waiting():
        action, item = decision["action"], decision["id"]
        if action == "go":
            desk.cursor = item
        elif action == "undo":
            undone = undo(session.home(), project.id, session.reviewer(), token=decision["token"])
            desk.cursor = undone if undone in desk.places else desk.cursor
        else:
            record_verdict(
                session.home(),
                project.id,
                item,
                action,
                reviewer=session.reviewer(),
                text=decision.get("text"),
                token=decision["token"],
            )
            desk.cursor = item if action == "edit" else desk.after(item)
        desk.taken = decision["seq"]


def first_to_judge(view: pd.DataFrame) -> str:
    """The first undecided text of the view, else the first of all."""
    undecided = view[view["verdict"] == "undecided"]
    return str((view if undecided.empty else undecided)["description_id"].tolist()[0])


def explain(row: dict[str, Any], of_class: pd.DataFrame, curation: Curation) -> None:
    """Why the description counts as it does."""
    st.markdown(f":material/{'check' if row['kept'] else 'block'}: **{row['why']}**")
    rules_panel(row)
    scores_panel(row, of_class["similarity"].tolist(), curation.n_eff[row["class_key"]], curation.zeta)


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(column): value for column, value in row.items()} for row in rows.to_dict("records")]


page()

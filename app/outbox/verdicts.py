"""What becomes of a decision made with the review card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.components.review.verdict_table import taken_back
from app.kit.guard import plain
from app.state import session
from app.state.work_list import ReviewDesk
from avion_core.errors import EditedMeanwhileError
from avion_core.usecases.curation import record_verdict, undo


def take(decision: Mapping[str, Any]) -> None:
    """Write it down in its own project; where the review of that project is laid out, its cursor goes on."""
    desk = session.desk_of(session.REVIEW_CARD, decision["project"])
    goes_on = _undo(decision, desk) if decision["action"] == "undo" else _decide(decision, desk)
    if desk is not None:
        desk.cursor = goes_on


def _undo(decision: Mapping[str, Any], desk: ReviewDesk | None) -> str:
    undone = undo(session.home(), decision["project"], session.reviewer(), token=decision["token"])
    places = desk.places if desk else {}
    if len(undone) != 1 or undone[0] not in places:
        st.toast(taken_back(len(undone)), icon=":material/undo:")
    return next((found for found in undone if found in places), desk.cursor if desk else "")


def _decide(decision: Mapping[str, Any], desk: ReviewDesk | None) -> str:
    """Returns where the review goes from there."""
    action, item = decision["action"], decision["id"]
    if action == "go":
        return item
    try:
        record_verdict(
            session.home(),
            decision["project"],
            item,
            "undecide" if action == "withdraw" else action,
            reviewer=session.reviewer(),
            text=decision.get("text"),
            shown=decision.get("shown"),
            reason=decision.get("reason") or "",
            token=decision["token"],
        )
    except EditedMeanwhileError as error:
        typed = decision.get("text")  # it is in no box any more: it stays on the screen until it is sent away
        said = f"{error} You wrote: {typed}" if typed else str(error)
        st.toast(plain(said), icon=":material/edit:", duration="infinite" if typed else "long")
        return item
    return item if action in ("edit", "withdraw") or desk is None else desk.after(item)

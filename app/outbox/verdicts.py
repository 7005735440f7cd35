"""What becomes of a decision made with the review card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.components.review.already_judged import said_of_unseen
from app.components.review.verdict_table import taken_back
from app.kit.guard import plain
from app.state import studio, work_lists
from app.state.work_lists import WorkList
from avion_core.errors import EditedMeanwhileError
from avion_core.usecases.curation import record_verdict, undo


def take(decision: Mapping[str, Any]) -> None:
    """Write it down in its own project; where the review of that project is laid out, its cursor goes on."""
    work_list = work_lists.current(work_lists.REVIEW_CARD, decision["project"])
    goes_on = _undo(decision, work_list) if decision["action"] == "undo" else _decide(decision, work_list)
    if work_list is not None:
        work_list.cursor = goes_on


def _undo(decision: Mapping[str, Any], work_list: WorkList | None) -> str:
    undone = undo(studio.home(), decision["project"], token=decision["token"])
    places = work_list.places if work_list else {}
    if len(undone) != 1 or undone[0] not in places:
        st.toast(taken_back(len(undone)), icon=":material/undo:")
    if work_list is not None:
        work_list.done.difference_update(undone)
    return next((found for found in undone if found in places), work_list.cursor if work_list else "")


def _decide(decision: Mapping[str, Any], work_list: WorkList | None) -> str:
    """Returns where the review goes from there."""
    action, item = decision["action"], decision["id"]
    if action == "go":
        return item
    try:
        unseen = record_verdict(
            studio.home(),
            decision["project"],
            item,
            "undecide" if action == "withdraw" else action,
            text=decision.get("text"),
            shown=decision.get("shown"),
            reason=decision.get("reason") or "",
            token=decision["token"],
            read_up_to=decision.get("known"),
        )
    except EditedMeanwhileError as error:
        typed = decision.get("text")  # it is in no box any more: it stays on the screen until it is sent away
        said = f"{error} You wrote: {typed}" if typed else str(error)
        st.toast(plain(said), icon=":material/edit:", duration="infinite" if typed else "long")
        return item
    if unseen and action in ("accept", "reject"):
        st.toast(plain(said_of_unseen({item: unseen})), icon=":material/group:", duration="long")
    if work_list is None:
        return item
    if action in ("edit", "withdraw"):
        work_list.done.discard(item)
        return item
    work_list.done.add(item)
    following = decision.get("next") or ""  # the text that the card has gone on to
    return following if following in work_list.places else work_list.next_open(item) or work_list.next_open()

"""What the review's filters are set to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.state import sent_lists
from app.state.widgets import ALL
from app.state.work_lists import REVIEW_CARD

KEYS = {
    "Class": "class",
    "Verdict": "verdict",
    "My verdict": "mine",
    "RS-Flag": "flag",
    "Broken rule": "rule",
    "Kept or cut": "kept",
    "Disagreement": "disagreement",
    "Effect of a verdict": "effect",
    "Writer": "writer",
    "Reviewer": "judged_by",
    "Robust z": "z",
    "Weight": "weight",
    "Search": "words",
    "Order": "order",
}
# What lets everything pass; ALL does for the other filters.
PASSES: dict[str, Any] = {"Search": "", "Robust z": (0.0, 10.0), "Weight": (0.0, 100.0)}


def narrowed(leaving_out: Sequence[str] = ()) -> int:
    """How many filters let less than everything pass."""
    return sum(
        st.session_state.get(key, PASSES.get(name, ALL)) != PASSES.get(name, ALL)
        for name, key in KEYS.items()
        if name not in leaving_out
    )


def clear() -> None:
    """Let every filter pass all; the order stays. (A value that is only forgotten comes back from the address.)"""
    for name, key in KEYS.items():
        if name != "Order":
            st.session_state[key] = PASSES.get(name, ALL)
    sent_lists.forget(REVIEW_CARD)


def show_unsettled() -> None:
    """Callback: only undecided descriptions of classes that are not settled, those that pull most first."""
    clear()
    wanted = {"Verdict": "undecided", "Effect of a verdict": "class not settled", "Order": "most influence"}
    for name, value in wanted.items():
        st.session_state[KEYS[name]] = value

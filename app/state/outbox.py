"""What of the browser's decisions the server has taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import streamlit as st

from app.state import visitor
from app.state.work_lists import WorkList

KEY = "outbox"

_OUTBOX = "_outbox"


@dataclass
class Outbox:
    """What of the browser's queue was taken. Decisions arrive with rising numbers; each is taken once."""

    taken: int = 0
    failures: int = 0
    """How often the database could not be written; the browser sends again whenever it grows."""
    taking: Lock = field(default_factory=Lock, repr=False, compare=False)
    """Held while decisions are taken. A key during a run starts the next run before this one has come to its end: both
    would take the same decisions, and the older run would set `taken` and a work list's cursor back."""

    def waiting(self) -> list[dict[str, Any]]:
        """Decisions in the browser's queue that were not taken yet, oldest first."""
        queue = (st.session_state.get(KEY) or {}).get("queue") or []
        return sorted((entry for entry in queue if entry["seq"] > self.taken), key=lambda entry: entry["seq"])


def of_this_tab() -> Outbox:
    """This tab's outbox; it stays when pages, projects and lists change."""
    return st.session_state.setdefault(_OUTBOX, Outbox())


def sender(work_list: WorkList) -> dict[str, Any]:
    """What a component must know to post decisions: in which project, by whom, and which were taken already."""
    return {"project": work_list.project, "reviewer": visitor.name(), "taken": of_this_tab().taken}

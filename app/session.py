"""The one reader and writer of st.session_state and of the page's address.

What must survive a refresh (project, run, filters) lives in the address; what belongs to this browser tab alone (the
review's place, the points picked on a map) lives in the session; everything people decide lives in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from avion_core.studio.home import Home

PROJECT = "project"
RUN = "run"
REVIEW_CARD = "review_card"
FILTERS = {
    "Class": "class",
    "Verdict": "verdict",
    "RS-Flag": "flag",
    "Fate": "fate",
    "Writer": "writer",
    "Order": "order",
}
WORDS = "words"

_DESK = "_review_desk"
_PICKED = "_picked_points"
_NOTICE = "_notice"


@st.cache_resource(show_spinner=False)
def home() -> Home:
    """Where everything of this installation lives; opened once per server."""
    return Home()


def project_id() -> str | None:
    """The project the sidebar shows, or None where there is none yet."""
    return st.session_state.get(PROJECT)


def run_id() -> str | None:
    """The run chosen last, or None."""
    return st.session_state.get(RUN)


def choose(key: str, value: str) -> None:
    """Let `value` be what the selector `key` (PROJECT or RUN) shows from the next drawing on."""
    st.session_state[f"_next_{key}"] = value


def settle(key: str, known: Sequence[str]) -> None:
    """Prepare the selector `key` just before it is drawn: a fresh choice wins, and one that is gone is forgotten."""
    chosen = st.session_state.pop(f"_next_{key}", None)
    if chosen in known:
        st.session_state[key] = chosen
    elif key in st.session_state and st.session_state[key] not in known:
        del st.session_state[key]


def say_after_rerun(message: str, icon: str = ":material/check:") -> None:
    """Keep a short message for the next drawing of the page."""
    st.session_state[_NOTICE] = (message, icon)


def show_notice() -> None:
    message, icon = st.session_state.pop(_NOTICE, (None, None))
    if message:
        st.toast(message, icon=icon)


@dataclass
class ReviewDesk:
    """One person's place in a list of descriptions.

    The order is frozen while the filters stay as they are, so that judging a text neither moves nor hides the next
    one. Decisions arrive from the browser's queue with rising sequence numbers; each is taken once.
    """

    signature: tuple[Any, ...]
    order: list[str]
    cursor: str = ""
    taken: int = 0
    places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = {item: place for place, item in enumerate(self.order)}
        if self.cursor not in self.places:
            self.cursor = self.order[0] if self.order else ""

    @property
    def place(self) -> int:
        """Index of the cursor; the length of the list once everything was seen."""
        return self.places.get(self.cursor, len(self.order))

    def after(self, item: str) -> str:
        """The text that follows `item`; "" after the last."""
        following = self.places.get(item, -1) + 1
        return self.order[following] if following < len(self.order) else ""

    def waiting(self) -> list[dict[str, Any]]:
        """Decisions in the browser's queue that were not taken yet, oldest first."""
        queue = (st.session_state.get(REVIEW_CARD) or {}).get("queue") or []
        return sorted((entry for entry in queue if entry["seq"] > self.taken), key=lambda entry: entry["seq"])


def current_desk() -> ReviewDesk | None:
    return st.session_state.get(_DESK)


def review_desk(signature: tuple[Any, ...], order: Iterable[str], start: str) -> ReviewDesk:
    """The desk for these filters.

    When they change it is laid out anew, at the same text where that is still in the list, else at `start`.
    """
    desk = current_desk()
    if desk is None or desk.signature != signature:
        taken = desk.taken if desk else 0
        items = list(order)
        cursor = desk.cursor if desk and desk.cursor in items else start
        desk = st.session_state[_DESK] = ReviewDesk(signature, items, cursor, taken)
    return desk


def clear_filters() -> None:
    for key in (*FILTERS.values(), WORDS):
        st.session_state.pop(key, None)


def reviewer() -> str:
    """Who is judging. Alone on one's own computer nobody signs in."""
    return "me"


def picked_points(map_key: str) -> list[str]:
    """Ids picked on this map; kept here because Plotly forgets a selection whenever its figure changes."""
    key, ids = st.session_state.get(_PICKED, (None, []))
    return ids if key == map_key else []


def pick_points(map_key: str, ids: list[str]) -> None:
    st.session_state[_PICKED] = (map_key, ids)


def chart_selection(key: str) -> list[int]:
    """Row numbers (customdata) of the points selected on the Plotly chart `key`."""
    event = st.session_state.get(key) or {}
    points = (event.get("selection") or {}).get("points") or []
    return [int(_row_number(point.get("customdata"))) for point in points]


def widget_value(key: str, default: Any = None) -> Any:
    return st.session_state.get(key, default)


def _row_number(custom: Any) -> Any:
    return custom[0] if isinstance(custom, list | tuple) else custom

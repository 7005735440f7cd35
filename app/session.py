"""The one reader and writer of st.session_state and of the page's address.

What must survive a refresh (project, run, filters) lives in the address; what belongs to this browser tab alone (the
review's place, the points picked on a map) lives in the session; everything people decide lives in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from urllib.parse import urlsplit
import streamlit as st

from avion_core.studio.home import Home
from avion_core.errors import AccountError
from avion_core.studio import accounts, rights

# Names in the address.
PROJECT = "project"
RUN = "run"
MAP = "map"

REVIEW_CARD = "review_card"
ALL = "all"
FILTERS = {
    "Class": "class",
    "Verdict": "verdict",
    "My verdict": "mine",
    "RS-Flag": "flag",
    "Broken rule": "rule",
    "Fate": "fate",
    "Disagreement": "disagreement",
    "Worth a verdict": "worth",
    "Writer": "writer",
    "Reviewer": "reviewer",
    "Robust z": "z",
    "Weight": "weight",
    "Search": "words",
    "Order": "order",
}
# What lets everything pass; ALL does for the other filters.
PASSES: dict[str, Any] = {"Search": "", "Robust z": (0.0, 10.0), "Weight": (0.0, 100.0)}
# So many ids still make an address that browsers and mail programs take.
IDS_IN_ADDRESS = 60

_DESK = "_review_desk"
_PICKED = "_picked_points"
_NOTICE = "_notice"
_ASKED_PROJECT = "_asked_project"
_FOR_LABELS = "_sent_to_label"
_OPENED_MAPS = "_opened_test_maps"
_SENT_TO_REVIEW = "_sent_to_review"
_PENDING = "_pending_verdict"
_SELECTION = "_verdict_table"


@st.cache_resource(show_spinner=False)
def home() -> Home:
    """Where everything of this installation lives; opened once per server."""
    return Home()


def project_id() -> str | None:
    """The project the sidebar shows, or None where there is none yet."""
    return st.session_state.get(PROJECT)


def choose(key: str, value: str) -> None:
    """Make `value` the choice of PROJECT, RUN or MAP, in this tab and in its address."""
    st.session_state[key] = value
    st.query_params[key] = value


def selector(key: str, known: Sequence[str]) -> str:
    """Prepare the selector of PROJECT, RUN or MAP just before it is drawn; returns its widget key.

    It shows the last choice of this tab, else the one in the address, else the first.
    """
    wanted = [value for value in (st.session_state.get(key), st.query_params.get(key)) if value in known]
    choose(key, [*wanted, *known][0])
    widget = f"{key}_selector"
    st.session_state[widget] = st.session_state[key]
    return widget


def take_selected(key: str) -> None:
    """Callback of a selector: what it shows becomes the choice."""
    choose(key, st.session_state[f"{key}_selector"])


def forget_unknown(key: str, known: Sequence[str]) -> None:
    """Drop a filter's value that is no option any more, just before the filter is drawn."""
    if key in st.session_state and st.session_state[key] not in known:
        del st.session_state[key]


def asked_project() -> tuple[str, str, str] | None:
    """Name, folder and label table of the project that is being created, while that goes on."""
    return st.session_state.get(_ASKED_PROJECT)


def ask_project(asked: tuple[str, str, str] | None) -> None:
    st.session_state[_ASKED_PROJECT] = asked


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


def narrowed(leaving_out: Sequence[str] = ()) -> int:
    """How many filters let less than everything pass."""
    return sum(
        st.session_state.get(key, PASSES.get(name, ALL)) != PASSES.get(name, ALL)
        for name, key in FILTERS.items()
        if name not in leaving_out
    )


def clear_filters() -> None:
    """Let every filter pass all; the order stays. (A value that is only forgotten comes back from the address.)"""
    for name, key in FILTERS.items():
        if name != "Order":
            st.session_state[key] = PASSES.get(name, ALL)
    forget_sent_to_review()


def send_to_review(ids: Iterable[str]) -> None:
    """Make these descriptions the ones that the review shows, until it is told to show all again."""
    st.session_state[_SENT_TO_REVIEW] = list(ids)


def sent_to_review() -> list[str]:
    """The descriptions that another page or a link (address parameter `ids`) asks to review; empty for all.

    A short list is kept in the address, so that the view can be passed on.
    """
    asked = [item for item in st.query_params.get("ids", "").split(",") if item]
    ids = st.session_state.get(_SENT_TO_REVIEW) or asked
    if ids and not asked and len(ids) <= IDS_IN_ADDRESS:
        st.query_params["ids"] = ",".join(ids)
    return ids


def forget_sent_to_review() -> None:
    st.session_state.pop(_SENT_TO_REVIEW, None)
    st.query_params.pop("ids", None)


def reviewer() -> str:
    """Who is judging. Alone on one's own computer nobody signs in."""
    return _somebody().name


def role() -> str:
    """What this person may do: "admin", "adjudicator" or "reviewer". Alone, everything."""
    return _somebody().role


def may(right: rights.Right) -> bool:
    """Whether this person holds the right: for what is offered on a page."""
    return rights.may(role(), right)


def demand(right: rights.Right) -> None:
    """Raise a RightsError unless this person holds the right: before every use case that needs it.

    A button that is greyed out is a courtesy; a browser can press it all the same.
    """
    rights.demand(role(), right)


def sign_out() -> None:
    """Make this browser's cookie worthless; the next run meets the gate."""
    accounts.sign_out(home(), _browser_secret() or "")


def address() -> str:
    """Where this browser found the studio: "http://192.168.1.5:8501"."""
    parts = urlsplit(str(st.context.url or ""))
    return f"{parts.scheme}://{parts.netloc}"


def _somebody() -> accounts.Person:
    found = person()
    if found is None:
        raise AccountError("this browser is not signed in any more", "Sign in again.")
    return found


def _browser_secret() -> str | None:
    found = st.context.cookies.get(accounts.cookie_name(home()))
    return found if isinstance(found, str) else None  # without a browser (AppTest) it is anything but text


def picked_points(map_key: str) -> list[str]:
    """Ids picked on this map; kept here because Plotly forgets a selection whenever its figure changes."""
    key, ids = st.session_state.get(_PICKED, (None, []))
    return ids if key == map_key else []


def pick_points(map_key: str, ids: list[str]) -> None:
    st.session_state[_PICKED] = (map_key, ids)


def send_to_label(image_ids: Sequence[str]) -> None:
    """Images that the label page is to show next, in this order."""
    st.session_state[_FOR_LABELS] = list(image_ids)


def sent_to_label() -> list[str]:
    """What `send_to_label` left; empty when nothing was sent."""
    return st.session_state.get(_FOR_LABELS, [])


def open_test_map(key: str) -> None:
    """Remember that this tab opened a map with the sealed test set: drawing it again is no new look."""
    st.session_state.setdefault(_OPENED_MAPS, set()).add(key)


def test_map_is_open(key: str) -> bool:
    return key in st.session_state.get(_OPENED_MAPS, ())


def chart_selection(key: str) -> list[int]:
    """Row numbers (customdata) of the points selected on the Plotly chart `key`."""
    event = st.session_state.get(key) or {}
    points = (event.get("selection") or {}).get("points") or []
    return [int(_row_number(point.get("customdata"))) for point in points]


def _row_number(custom: Any) -> Any:
    return custom[0] if isinstance(custom, list | tuple) else custom
def person() -> accounts.Person | None:
    """Who is signed in by this browser's cookie; `accounts.ALONE` where nobody signs in, None for a closed gate."""
    return accounts.person_of(home(), _browser_secret())



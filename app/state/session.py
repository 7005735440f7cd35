"""The one reader and writer of st.session_state and of the page's address.

What must survive a refresh (project, run, filters) lives in the address; what belongs to this browser tab alone (the
review's place, the points picked on a map) lives in the session; everything people decide lives in the store.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.kit.guard import plain
from app.state.visitor import home as home
from app.state.visitor import signed_in as signed_in
from app.state.work_list import ReviewDesk
from avion_core.usecases import policies
from avion_core.usecases.projects.selections import keep_selection, read_selection

if TYPE_CHECKING:  # it brings the models' library along
    from avion_core.usecases.curation import Decision

# Names in the address.
PROJECT = "project"
RUN = "run"
BESIDE = "beside"
BASED_ON = "based_on"
SHEET_CLASS = "sheet_class"
CLASS = "class_card"
MAP = "map"
CELL = "cell"

OUTBOX = "outbox"
REVIEW_CARD = "review_card"
LABEL_GRID = "label_grid"
SHEET = "sheet"
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
    "Reviewer": "judged_by",
    "Robust z": "z",
    "Weight": "weight",
    "Search": "words",
    "Order": "order",
}
# What lets everything pass; ALL does for the other filters.
PASSES: dict[str, Any] = {"Search": "", "Robust z": (0.0, 10.0), "Weight": (0.0, 100.0)}
# Where the address names the list that another page sent to the review, or to the label page.
SENT = {REVIEW_CARD: "texts", LABEL_GRID: "images"}

_OUTBOX = "_outbox"
# Each page has its own desk: looking at a class sheet moves nothing in the review.
_DESKS = {REVIEW_CARD: "_review_desk", SHEET: "_sheet_desk", LABEL_GRID: "_label_desk"}
_PICKED = "_picked_points"
_NOTICE = "_notice"
_CELL = "_confusion_cell"
_ASKED_PROJECT = "_asked_project"
_ASKED_MOVE = "_asked_move"
_OPENED_MAPS = "_opened_test_maps"
_SENT = "_sent_lists"
_ASKED_VERDICT = "_asked_verdict"
_SELECTION = "_selection_name"


def project_id() -> str | None:
    """The project the sidebar shows, or None where there is none yet."""
    return st.session_state.get(PROJECT)


def choose(key: str, value: str) -> None:
    """Make `value` the choice of a name in the address, in this tab and in the address; "" is no choice."""
    if key == PROJECT and value != st.session_state.get(PROJECT, value):
        for name in SENT.values():  # lists of the project before
            st.query_params.pop(name, None)
    st.session_state[key] = value
    if value:
        st.query_params[key] = value
    else:
        st.query_params.pop(key, None)


def asked(key: str) -> str:
    """The choice of this tab, else the one in the address (where it then stays); "" for none."""
    choose(key, st.session_state.get(key, st.query_params.get(key, "")))
    return st.session_state[key]


def selector(key: str, known: Sequence[str]) -> str:
    """Prepare the selector of PROJECT, RUN or MAP just before it is drawn; returns its widget key.

    It shows the last choice of this tab, else the one in the address, else the first. Where the address names one that
    is not there, a note says so.
    """
    named = st.query_params.get(key, "")
    if key not in st.session_state and named and named not in known:
        said = f"The {key.replace('_', ' ')} that the address names is not here: {plain(named)}. Another one is shown."
        st.toast(said, icon=":material/link_off:", duration="infinite")
    wanted = [value for value in (st.session_state.get(key), st.query_params.get(key)) if value in known]
    choose(key, [*wanted, *known][0])
    widget = f"{key}_selector"
    st.session_state[widget] = st.session_state[key]
    return widget


def chosen(key: str) -> str:
    """What PROJECT, RUN or SHEET_CLASS is set to, after its `selector`."""
    return st.session_state[key]


def take_selected(key: str) -> None:
    """Callback of a selector: what it shows becomes the choice."""
    choose(key, st.session_state[f"{key}_selector"])


def forget_unknown(key: str, known: Sequence[str]) -> None:
    """Drop a filter's value that is no option any more, just before the filter is drawn."""
    if key in st.session_state and st.session_state[key] not in known:
        del st.session_state[key]


def forget_unknown_among(key: str, known: Sequence[str]) -> None:
    """Drop those of a filter's several values that are no options any more, just before the filter is drawn."""
    if key in st.session_state:
        st.session_state[key] = [value for value in st.session_state[key] or [] if value in known]


def fill(widget: str, value: Any) -> None:
    """Callback: set what a widget shows at its next drawing."""
    st.session_state[widget] = value


def shown_runs(known: Sequence[str]) -> list[str]:
    """The runs that the runs page shows: those asked for of the known ones (newest first), else the newest."""
    wanted = dict.fromkeys([asked(RUN), *asked(BESIDE).split(",")])
    show_runs([run for run in wanted if run in known] or known[:1])
    return [asked(RUN), *filter(None, asked(BESIDE).split(","))]


def show_runs(runs: Sequence[str]) -> None:
    """Show one run, or several beside each other, the first one as RUN."""
    choose(RUN, runs[0])
    choose(BESIDE, ",".join(runs[1:]))


def take_picked_runs(table: str, runs: Sequence[str]) -> None:
    """Callback of the table of runs: what is ticked is shown; runs that were shown before stay in front."""
    rows: list[int] = (st.session_state[table].get("selection") or {}).get("rows") or []
    before = [asked(RUN), *asked(BESIDE).split(",")]
    picked: list[str] = [runs[row] for row in rows if row < len(runs)]
    ticked = sorted(picked, key=lambda run: run not in before)
    if ticked:
        show_runs(ticked)


def asked_project() -> Any:
    """The project that is being created, while that goes on (see components.project_forms)."""
    return st.session_state.get(_ASKED_PROJECT)


def ask_project(asked: Any) -> None:
    st.session_state[_ASKED_PROJECT] = asked


def asked_move() -> Any:
    """What is being packed, unpacked or re-linked, while that goes on; the last part tells one asking from another."""
    return st.session_state.get(_ASKED_MOVE)


def ask_move(*what: Any) -> None:
    st.session_state[_ASKED_MOVE] = (*what, uuid.uuid4().hex)


def end_move() -> None:
    st.session_state[_ASKED_MOVE] = None


def say_after_rerun(message: str, icon: str = ":material/check:") -> None:
    """Keep a short message for the next drawing of the page."""
    st.session_state[_NOTICE] = (message, icon)


def show_notice() -> None:
    message, icon = st.session_state.pop(_NOTICE, (None, None))
    if message:
        st.toast(message, icon=icon)


@dataclass
class Outbox:
    """What of the browser's queue was taken. Decisions arrive with rising numbers; each is taken once.

    taking: held while decisions are taken. A key during a run starts the next run before this one has come to its end:
    both would take the same decisions, and the older run would set `taken` and a desk's cursor back.
    """

    taken: int = 0
    taking: Lock = field(default_factory=Lock, repr=False, compare=False)

    def waiting(self) -> list[dict[str, Any]]:
        """Decisions in the browser's queue that were not taken yet, oldest first."""
        queue = (st.session_state.get(OUTBOX) or {}).get("queue") or []
        return sorted((entry for entry in queue if entry["seq"] > self.taken), key=lambda entry: entry["seq"])


def outbox() -> Outbox:
    """This tab's outbox; it stays when pages, projects and lists change."""
    return st.session_state.setdefault(_OUTBOX, Outbox())


def sender(desk: ReviewDesk) -> dict[str, Any]:
    """What a component must know to post decisions: in which project, by whom, and which were taken already."""
    return {"project": desk.project, "reviewer": reviewer(), "taken": outbox().taken}


def desk_of(component: str, project: str) -> Any:
    """The desk at which decisions of a component are made, if it is laid out for this project."""
    desk = st.session_state.get(_DESKS[component])
    return desk if desk is not None and desk.project == project else None


def review_desk(
    name: str, project: str, signature: tuple[Any, ...], lay_out: Callable[[], tuple[list[str], str]]
) -> ReviewDesk:
    """The desk of REVIEW_CARD or SHEET for these filters.

    When they change it is laid out anew, at the same text where that is still in the list.

    Args:
        lay_out: gives the list and where to start in it; asked only when the signature changed.
    """
    desk: ReviewDesk | None = st.session_state.get(_DESKS[name])
    if desk is None or (desk.project, desk.signature) != (project, signature):
        items, start = lay_out()
        cursor = desk.cursor if desk and desk.cursor in set(items) else start
        desk = st.session_state[_DESKS[name]] = ReviewDesk(project, signature, items, cursor)
    return desk


def label_desk() -> Any:
    """The label page's list (components.label_grid.LabelDesk), or None before it was laid out."""
    return st.session_state.get(_DESKS[LABEL_GRID])


def put_label_desk(desk: ReviewDesk) -> None:
    """Lay the label page's list out."""
    st.session_state[_DESKS[LABEL_GRID]] = desk


def order_labels_anew() -> None:
    """Callback: guess and order again at the label page's next drawing."""
    label_desk().signature = ()


def lay_out_anew() -> None:
    """Filter and sort the review's list again at its next drawing."""
    desk: ReviewDesk | None = st.session_state.get(_DESKS[REVIEW_CARD])
    if desk is not None:
        desk.signature = ()


def place_in(name: str, ids: Sequence[str]) -> int:
    """Where this tab is in a list it walks; the item that follows, once its own has left the list."""
    key = f"_place_in_{name}"
    item, place = st.session_state.get(key, (None, 0))
    place = ids.index(item) if item in ids else min(place, len(ids) - 1)
    st.session_state[key] = (ids[place], place)
    return place


def go_to(name: str, item: str) -> None:
    """Callback: walk to this item of a list."""
    st.session_state[f"_place_in_{name}"] = (item, 0)


@dataclass(frozen=True)
class Asked:
    """A verdict on several descriptions (or one description's new wording) that waits for its confirmation."""

    verdict: Decision
    ids: tuple[str, ...]
    batch: str
    """Sent again with the same name, the verdicts are the same ones and nothing is added."""
    text: str = ""
    """Of a new wording: the words that it starts from."""


def asked_verdict() -> Asked | None:
    return st.session_state.get(_ASKED_VERDICT)


def ask_verdict(asked: Asked | None) -> None:
    st.session_state[_ASKED_VERDICT] = asked


def selection_name() -> str:
    """A name for the selection that is being made; a table drawn under a new name has nothing selected."""
    return st.session_state.setdefault(_SELECTION, uuid.uuid4().hex[:16])


def forget_selection() -> None:
    st.session_state[_SELECTION] = uuid.uuid4().hex[:16]
    st.session_state[_ASKED_VERDICT] = None


def selected_rows(key: str) -> list[int]:
    """Places of the rows selected in the table `key`."""
    event = st.session_state.get(key) or {}
    return [int(row) for row in (event.get("selection") or {}).get("rows") or []]


def typed(key: str) -> str:
    """What stands in a text field or selector now.

    A callback asks here: what its button was drawn with may be a key press old.
    """
    return st.session_state.get(key) or ""


def toggle(name: str) -> None:
    """Callback: show what is hidden, or hide what is shown."""
    st.session_state[name] = not shown(name)


def shown(name: str) -> bool:
    return st.session_state.get(name, False)


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
    forget_sent(REVIEW_CARD)


def filter_for_worth() -> None:
    """Callback: only undecided descriptions of classes that are not settled, those that pull most first."""
    clear_filters()
    wanted = {"Verdict": "undecided", "Worth a verdict": "class not settled", "Order": "most influence"}
    for name, value in wanted.items():
        st.session_state[FILTERS[name]] = value


def send_to_review(ids: Iterable[str]) -> None:
    """Make these descriptions the ones that the review shows, until it is told to show all again."""
    _send(REVIEW_CARD, ids)


def send_to_label(image_ids: Iterable[str]) -> None:
    """Make these images the ones that the label page shows, in this order."""
    _send(LABEL_GRID, image_ids)


def _send(to: str, ids: Iterable[str]) -> None:
    project, listed = chosen(PROJECT), list(ids)
    key = keep_selection(home(), project, listed)
    st.session_state.setdefault(_SENT, {})[to, project] = (key, listed)


def sent(to: str) -> list[str]:
    """What another page, or a link, sent to REVIEW_CARD or LABEL_GRID in this project; empty for everything.

    The address names the list, so that the view outlasts a refresh and can be passed on.

    Raises:
        NotFoundError: the list that the address names is not there.
    """
    lists, name = st.session_state.setdefault(_SENT, {}), SENT[to]
    place = (to, chosen(PROJECT))
    named = st.query_params.get(name, "")
    if place not in lists and named:
        lists[place] = (named, read_selection(home(), chosen(PROJECT), named))
    key, ids = lists.get(place, ("", []))
    if key != named:
        st.query_params[name] = key
    return ids


def forget_sent(to: str) -> None:
    """Callback: show everything again."""
    st.session_state.get(_SENT, {}).pop((to, chosen(PROJECT)), None)
    st.query_params.pop(SENT[to], None)


def reviewer() -> str:
    """Who is judging. Alone on one's own computer nobody signs in."""
    return signed_in().name


def role() -> str:
    """What this person may do: "admin", "adjudicator" or "reviewer". Alone, everything."""
    return signed_in().role


def may(right: policies.Right) -> bool:
    """Whether this person holds the right: for what is offered on a page."""
    return policies.may(role(), right)


def demand(right: policies.Right) -> None:
    """Raise a RightsError unless this person holds the right: before every use case that needs it.

    A button that is greyed out is a courtesy; a browser can press it all the same.
    """
    policies.demand(role(), right)


def picked_points(map_key: str) -> list[str]:
    """Ids picked on this map; kept here because Plotly forgets a selection whenever its figure changes."""
    key, ids = st.session_state.get(_PICKED, (None, []))
    return ids if key == map_key else []


def pick_points(map_key: str, ids: list[str]) -> None:
    st.session_state[_PICKED] = (map_key, ids)


def open_test_map(key: str) -> None:
    """Remember that this tab opened a map with the sealed test set: drawing it again is no new look."""
    st.session_state.setdefault(_OPENED_MAPS, set()).add(key)


def test_map_is_open(key: str) -> bool:
    return key in st.session_state.get(_OPENED_MAPS, ())


def texts_matrix(project: str) -> str:
    """The confusion page's matrix of a project: its cell stays chosen whoever's mistakes are looked at."""
    return f"texts:{project}"


def pick_cell(matrix: str, cell: tuple[str, str]) -> None:
    """Keep the cell (true class, said class) of a confusion matrix that a person looks at."""
    st.session_state[_CELL] = (matrix, cell)


def cell_selector(matrix: str, cells: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Prepare the selector of a matrix's cell just before it is drawn: its widget key and its options.

    It shows the cell picked in this tab, else the one in the address, else the first; one that is none of the options
    joins them.

    Args:
        cells: the options, with every class's own cell among them.
    """
    of, picked = st.session_state.get(_CELL, (None, None))
    known = {true for true, _ in cells}
    match picked if of == matrix else st.query_params.get_all(CELL):
        case [true, said] if {true, said} <= known:
            cell = (true, said)
        case _:
            cell = cells[0]
    st.query_params[CELL] = cell
    widget = f"cell_{matrix}"
    st.session_state[widget] = cell
    return widget, cells if cell in cells else [cell, *cells]


def take_cell(matrix: str) -> None:
    """Callback of the selector of a matrix's cell."""
    pick_cell(matrix, st.session_state[f"cell_{matrix}"])


def take_clicked_cell(matrix: str, chart: str, keys: Sequence[str]) -> None:
    """Callback of a confusion matrix's chart, whose cells are numbered row by row; a click into the void keeps all."""
    for number in chart_selection(chart)[:1]:
        pick_cell(matrix, (keys[number // len(keys)], keys[number % len(keys)]))


def chart_selection(key: str) -> list[int]:
    """Row numbers (customdata) of the points selected on the Plotly chart `key`."""
    event = st.session_state.get(key) or {}
    points = (event.get("selection") or {}).get("points") or []
    return [int(_row_number(point.get("customdata"))) for point in points]


def _row_number(custom: Any) -> Any:
    return custom[0] if isinstance(custom, list | tuple) else custom

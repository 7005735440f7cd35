"""Where a person is in the lists that they work through: texts to judge, images to label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

# The components that walk through a list. Each page has a list of its own: looking at a class sheet moves nothing in
# the review.
REVIEW_CARD = "review_card"
SHEET = "sheet"
LABEL_GRID = "label_grid"

_LISTS = {REVIEW_CARD: "_review_list", SHEET: "_sheet_list", LABEL_GRID: "_label_list"}


@dataclass
class WorkList:
    """One person's place in a list of a project's descriptions.

    The order is frozen while the filters stay as they are, so that judging a text neither moves nor hides the next
    one.
    """

    project: str
    signature: tuple[Any, ...]
    order: list[str]
    cursor: str = ""
    done: set[str] = field(default_factory=set)
    """What waits for nobody's decision any more."""
    asks: str = ""
    """Which texts of the list wait for a decision (components.review.waiting); "" until somebody asked."""
    places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = {item: place for place, item in enumerate(self.order)}
        if self.cursor not in self.places:
            self.cursor = self.order[0] if self.order else ""

    @property
    def place(self) -> int:
        """Index of the cursor; the length of the list once everything was seen."""
        return self.places.get(self.cursor, len(self.order))

    def next_open(self, item: str = "") -> str:
        """What after `item` (from the start without one) still waits for a decision; "" behind the last."""
        following = self.order[self.places.get(item, -1) + 1 :]
        return next((one for one in following if one not in self.done), "")


def current(component: str, project: str) -> Any:
    """The list that a component's decisions belong to, if there is one of this project in this tab."""
    found = st.session_state.get(_LISTS[component])
    return found if found is not None and found.project == project else None


def filtered(
    component: str, project: str, signature: tuple[Any, ...], listing: Callable[[], tuple[list[str], str]]
) -> WorkList:
    """The list of REVIEW_CARD or SHEET for these filters.

    When they change it is made again, at the same text where that is still in the list.

    Args:
        listing: gives the list and where to start in it; asked only when the signature changed.
    """
    found: WorkList | None = st.session_state.get(_LISTS[component])
    if found is None or (found.project, found.signature) != (project, signature):
        items, start = listing()
        cursor = found.cursor if found and found.cursor in set(items) else start
        found = st.session_state[_LISTS[component]] = WorkList(project, signature, items, cursor)
    return found


def label_list() -> Any:
    """The label page's list (components.labelling.label_grid.LabelList), or None before it was made."""
    return st.session_state.get(_LISTS[LABEL_GRID])


def put_label_list(label_list: WorkList) -> None:
    """Make this the label page's list."""
    st.session_state[_LISTS[LABEL_GRID]] = label_list


def refresh_label_list() -> None:
    """Callback: rank the images again at the label page's next drawing."""
    label_list().signature = ()


def refresh_review_list() -> None:
    """Filter and sort the review's list again at its next drawing."""
    found: WorkList | None = st.session_state.get(_LISTS[REVIEW_CARD])
    if found is not None:
        found.signature = ()

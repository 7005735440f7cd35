"""The list of texts or images that another page, or a link, sent to the review or to the label page."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from app.state import studio
from app.state.address import IMAGES, PROJECT, TEXTS, chosen
from app.state.work_lists import LABEL_GRID, REVIEW_CARD
from avion_core.usecases.projects.selections import keep_selection, read_selection

# Where the address names the list.
_NAMES = {REVIEW_CARD: TEXTS, LABEL_GRID: IMAGES}

_SENT = "_sent_lists"


def send_to_review(ids: Iterable[str]) -> None:
    """Make these descriptions the ones that the review shows, until it is told to show all again."""
    _send(REVIEW_CARD, ids)


def send_to_label(image_ids: Iterable[str]) -> None:
    """Make these images the ones that the label page shows, in this order."""
    _send(LABEL_GRID, image_ids)


def _send(to: str, ids: Iterable[str]) -> None:
    project, listed = chosen(PROJECT), list(ids)
    key = keep_selection(studio.home(), project, listed)
    st.session_state.setdefault(_SENT, {})[to, project] = (key, listed)


def sent(to: str) -> list[str]:
    """What another page, or a link, sent to REVIEW_CARD or LABEL_GRID in this project; empty for everything.

    The address names the list, so that the view outlasts a refresh and can be passed on.

    Raises:
        NotFoundError: the list that the address names no longer exists.
    """
    lists, name = st.session_state.setdefault(_SENT, {}), _NAMES[to]
    place = (to, chosen(PROJECT))
    named = st.query_params.get(name, "")
    if place not in lists and named:
        lists[place] = (named, read_selection(studio.home(), chosen(PROJECT), named))
    key, ids = lists.get(place, ("", []))
    if key != named:
        st.query_params[name] = key
    return ids


def forget(to: str) -> None:
    """Callback: show everything again."""
    st.session_state.get(_SENT, {}).pop((to, chosen(PROJECT)), None)
    st.query_params.pop(_NAMES[to], None)

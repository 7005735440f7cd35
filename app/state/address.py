"""What the page's address names: the project, the run, the map.

What must survive a refresh or go to a colleague as a link lives here; what belongs to this browser tab alone lives in
the other files of this folder; what people decide lives in the store.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.kit.guard import plain

# Names in the address.
PROJECT = "project"
RUN = "run"
BESIDE = "beside"
BASED_ON = "based_on"
SHEET_CLASS = "sheet_class"
CLASS = "class_card"
MAP = "map"
JOB = "job"
CELL = "cell"
PICTURES = "pictures"
MODEL = "model"
SEARCH_MODEL = "search_model"
# Where it names the list that another page sent to the review, or to the label page (see sent_lists).
TEXTS = "texts"
IMAGES = "images"
TEACHER = "teacher"
"""What stands in the place of a run where the teacher's own view is asked for."""


def project_id() -> str | None:
    """The project the sidebar shows, or None where there is none yet."""
    return st.session_state.get(PROJECT) or None


def choose(key: str, value: str) -> None:
    """Make `value` the choice of a name in the address, in this tab and in the address; "" is no choice."""
    if key == PROJECT and value != st.session_state.get(PROJECT, value):
        for name in (TEXTS, IMAGES):  # lists of the project before
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
    """Prepare the selector of PROJECT, RUN, MODEL, MAP or JOB just before it is drawn; returns its widget key.

    It shows the last choice of this tab, else the one in the address, else the first. Where the address names one that
    is not there, a note says so.
    """
    named = st.query_params.get(key, "")
    if key not in st.session_state and named and named not in known:
        said = f"The {key.replace('_', ' ')} in the address was not found: {plain(named)}. Another one is shown."
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

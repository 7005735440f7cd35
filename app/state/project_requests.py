"""The long work on projects that this tab asked for: creating one, packing, unpacking, moving images."""

from __future__ import annotations

import uuid
from typing import Any

import streamlit as st

_ASKED_PROJECT = "_asked_project"
_ASKED_MOVE = "_asked_move"
_ASKED_COPIES = "_asked_copies"


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


def asked_copies() -> tuple[str, str] | None:
    """The project whose near-copies are looked for, while that goes on, and what tells one asking from another."""
    return st.session_state.get(_ASKED_COPIES)


def ask_copies(project: str | None) -> None:
    st.session_state[_ASKED_COPIES] = None if project is None else (project, uuid.uuid4().hex)

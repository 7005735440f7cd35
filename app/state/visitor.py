"""Who is at this browser, and what they may do."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import streamlit as st

from app.state import door
from avion_core.actor import Actor
from avion_core.errors import AccountError
from avion_core.usecases import policies
from avion_core.usecases.people import accounts

_ASKED = "_asked_who_is_here"
_ANSWER_HOLDS_SECONDS = 1.0
"""A page asks who is here some twenty times while it is drawn. Whoever is locked out meanwhile is so a second later."""


def come_in() -> Actor | None:
    """Ask who is at this browser, at the beginning of a run; None for a closed gate."""
    found = door.actor()
    st.session_state[_ASKED] = time.monotonic(), found
    return found


def signed_in() -> Actor:
    """Who is at work here. Alone on one's own computer nobody signs in.

    Raises:
        AccountError: nobody is signed in (any more).
    """
    asked, found = st.session_state.get(_ASKED, (0.0, None))
    if found is None or time.monotonic() - asked > _ANSWER_HOLDS_SECONDS:
        found = come_in()
    if found is None:
        raise AccountError("this browser is not signed in any more", "Sign in again.")
    return found


def name() -> str:
    """What this person is called: whose verdicts, labels and work lists are their own."""
    return signed_in().name


def may(right: policies.Right) -> bool:
    """Whether this person holds the right: for what a page offers. The use case asks again, whoever presses."""
    return policies.may(signed_in(), right)


def sign_out() -> None:
    """Make this browser's cookie worthless; the next run meets the gate."""
    accounts.sign_out(door.at_the_door(), door.secret() or "")


def address() -> str:
    """Where this browser found the studio: "http://192.168.1.5:8501"."""
    parts = urlsplit(str(st.context.url or ""))
    return f"{parts.scheme}://{parts.netloc}"

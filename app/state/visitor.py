"""Who is at this browser, and what they may do."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from app.state import studio
from avion_core.errors import AccountError
from avion_core.usecases import policies
from avion_core.usecases.people import accounts


def person() -> accounts.Person | None:
    """Who is signed in by this browser's cookie; `accounts.ALONE` where nobody signs in, None for a closed gate."""
    return accounts.person_of(studio.home(), _browser_secret())


def signed_in() -> accounts.Person:
    """Who is at work here.

    Raises:
        AccountError: nobody is signed in (any more).
    """
    found = person()
    if found is None:
        raise AccountError("this browser is not signed in any more", "Sign in again.")
    return found


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


def sign_out() -> None:
    """Make this browser's cookie worthless; the next run meets the gate."""
    accounts.sign_out(studio.home(), _browser_secret() or "")


def address() -> str:
    """Where this browser found the studio: "http://192.168.1.5:8501"."""
    parts = urlsplit(str(st.context.url or ""))
    return f"{parts.scheme}://{parts.netloc}"


def _browser_secret() -> str | None:
    found = st.context.cookies.get(accounts.cookie_name(studio.home()))
    return found if isinstance(found, str) else None  # without a browser (AppTest) it is anything but text

"""The installation that is served, and who is at this browser."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from avion_core.errors import AccountError
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts


@st.cache_resource(show_spinner=False)
def home() -> Home:
    """Where everything of this installation lives; opened once per server."""
    return Home()


def person() -> accounts.Person | None:
    """Who is signed in by this browser's cookie; `accounts.ALONE` where nobody signs in, None for a closed gate."""
    return accounts.person_of(home(), _browser_secret())


def signed_in() -> accounts.Person:
    """Who is at work here.

    Raises:
        AccountError: nobody is signed in (any more).
    """
    found = person()
    if found is None:
        raise AccountError("this browser is not signed in any more", "Sign in again.")
    return found


def sign_out() -> None:
    """Make this browser's cookie worthless; the next run meets the gate."""
    accounts.sign_out(home(), _browser_secret() or "")


def address() -> str:
    """Where this browser found the studio: "http://192.168.1.5:8501"."""
    parts = urlsplit(str(st.context.url or ""))
    return f"{parts.scheme}://{parts.netloc}"


def _browser_secret() -> str | None:
    found = st.context.cookies.get(accounts.cookie_name(home()))
    return found if isinstance(found, str) else None  # without a browser (AppTest) it is anything but text

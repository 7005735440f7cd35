"""Who is at this browser: asked of its cookie, before anything is opened for them."""

from __future__ import annotations

import streamlit as st

from avion_core.actor import STRANGER, Actor
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts


@st.cache_resource(show_spinner=False)
def at_the_door() -> Home:
    """The installation that is served, opened for nobody yet; once per server."""
    return Home(None, STRANGER)


def actor() -> Actor | None:
    """Who is signed in by this browser's cookie; `ALONE` where nobody signs in, None for a closed gate."""
    return accounts.person_of(at_the_door(), secret())


def secret() -> str | None:
    """What this browser's cookie holds."""
    found = st.context.cookies.get(accounts.cookie_name(at_the_door()))
    return found if isinstance(found, str) else None  # without a browser (AppTest) it is anything but text

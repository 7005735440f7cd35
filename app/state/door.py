"""Who is at this browser: asked of its cookie, before anything is opened for them."""

from __future__ import annotations

import streamlit as st

from app.sign_in import studio as at_the_door
from avion_core.actor import Actor
from avion_core.usecases.people import accounts


def actor() -> Actor | None:
    """Who is signed in by this browser's cookie; `ALONE` where nobody signs in, None for a closed gate."""
    return accounts.person_of(at_the_door(), secret())


def secret() -> str | None:
    """What this browser's cookie holds."""
    found = st.context.cookies.get(accounts.cookie_name(at_the_door()))
    return found if isinstance(found, str) else None  # without a browser (AppTest) it is anything but text

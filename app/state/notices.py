"""A short message that outlives the run of the page that it speaks of."""

from __future__ import annotations

import streamlit as st

from app.kit.guard import plain

_NOTICE = "_notice"


def say_after_rerun(message: str, icon: str = ":material/check:") -> None:
    """Keep a short message for the next drawing of the page."""
    st.session_state[_NOTICE] = (message, icon)


def show() -> None:
    message, icon = st.session_state.pop(_NOTICE, (None, None))
    if message:
        st.toast(plain(message), icon=icon)

"""What is chosen for one visit to a page alone: whoever comes back finds the page as it begins."""

from __future__ import annotations

import streamlit as st

_LAST = "_last_page"
_OF_PAGE = {"exchange": ("exchange_tab",)}
"""Page -> widgets that begin again at the next visit."""


def begin(page: str) -> None:
    """Say which page is about to be drawn; what was chosen for a visit that is over is forgotten."""
    last = st.session_state.get(_LAST)
    if last != page:
        for widget in _OF_PAGE.get(last or "", ()):
            st.session_state.pop(widget, None)
    st.session_state[_LAST] = page

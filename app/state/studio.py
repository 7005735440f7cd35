"""The installation that is served."""

from __future__ import annotations

import streamlit as st

from avion_core.usecases.installation.home import Home


@st.cache_resource(show_spinner=False)
def home() -> Home:
    """Where everything of this installation lives; opened once per server."""
    return Home()

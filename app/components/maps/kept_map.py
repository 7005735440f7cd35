"""Maps that were looked at are kept for the next look."""

from __future__ import annotations

import streamlit as st

from app.state import studio
from avion_core.usecases.insight.alignment import MapResult, Of, read_map


@st.cache_resource(max_entries=4, show_spinner="Reading the map")
def kept_map(key: str, of: Of) -> MapResult:
    """A map by its key, which changes with what it was made from; not to be changed by who gets it."""
    return read_map(studio.home(), of, key)

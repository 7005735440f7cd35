"""A tab's place in a list that it walks through with back and next."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st


def place_in(name: str, ids: Sequence[str]) -> int:
    """Where this tab is in a list it walks; the item that follows, once its own has left the list."""
    key = f"_place_in_{name}"
    item, place = st.session_state.get(key, (None, 0))
    place = ids.index(item) if item in ids else min(place, len(ids) - 1)
    st.session_state[key] = (ids[place], place)
    return place


def go_to(name: str, item: str) -> None:
    """Callback: walk to this item of a list."""
    st.session_state[f"_place_in_{name}"] = (item, 0)

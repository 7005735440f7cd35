"""What a person does on the maps: the points they picked, and the test maps they opened."""

from __future__ import annotations

import streamlit as st

_PICKED = "_picked_points"
_OPENED_MAPS = "_opened_test_maps"


def picked_points(map_key: str) -> list[str]:
    """Ids picked on this map; kept here because Plotly forgets a selection whenever its figure changes."""
    key, ids = st.session_state.get(_PICKED, (None, []))
    return ids if key == map_key else []


def pick_points(map_key: str, ids: list[str]) -> None:
    st.session_state[_PICKED] = (map_key, ids)


def open_test_map(key: str) -> None:
    """Remember that this tab opened a map with the sealed test set: drawing it again is no new look."""
    st.session_state.setdefault(_OPENED_MAPS, set()).add(key)


def test_map_is_open(key: str) -> bool:
    return key in st.session_state.get(_OPENED_MAPS, ())

"""What a person does on the maps: the points they picked or point at, how far along they look, the maps opened."""

from __future__ import annotations

from typing import Any

import streamlit as st

_PICKED = "_picked_points"
_OPENED_MAPS = "_opened_test_maps"
SHARE = "map_share"
"""The slider from before to after training, in percent."""
UNDER_POINTER = "map_under_pointer"
"""The component that says which point the pointer is on."""


def picked_points(map_key: str) -> list[str]:
    """Ids picked on this map; kept here because Plotly forgets a selection whenever its figure changes."""
    key, ids = st.session_state.get(_PICKED, (None, []))
    return ids if key == map_key else []


def pick_points(map_key: str, ids: list[str]) -> None:
    st.session_state[_PICKED] = (map_key, ids)


def share_of_the_way() -> float:
    """Where between before (0) and after training (1) the moving view stands."""
    return st.session_state.get(SHARE, 0) / 100


def pointed_at() -> dict[str, Any]:
    """The point whose card is asked for: map, view, row; empty for none."""
    return (st.session_state.get(UNDER_POINTER) or {}).get("asked") or {}


def open_test_map(key: str) -> None:
    """Remember that this tab opened a map with the sealed test set: drawing it again is no new look."""
    st.session_state.setdefault(_OPENED_MAPS, set()).add(key)


def test_map_is_open(key: str) -> bool:
    return key in st.session_state.get(_OPENED_MAPS, ())

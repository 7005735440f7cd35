"""What widgets show and what is selected in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

# What a filter shows when it lets everything pass.
ALL = "all"


def fill(widget: str, value: Any) -> None:
    """Callback: set what a widget shows at its next drawing."""
    st.session_state[widget] = value


def forget_unknown(key: str, known: Sequence[str]) -> None:
    """Drop a filter's value that is no option any more, just before the filter is drawn."""
    if key in st.session_state and st.session_state[key] not in known:
        del st.session_state[key]


def forget_unknown_among(key: str, known: Sequence[str]) -> None:
    """Drop those of a filter's several values that are no options any more, just before the filter is drawn."""
    if key in st.session_state:
        st.session_state[key] = [value for value in st.session_state[key] or [] if value in known]


def typed(key: str) -> str:
    """What stands in a text field or selector now.

    A callback asks here: what its button was drawn with may be a key press old.
    """
    return st.session_state.get(key) or ""


def toggle(name: str) -> None:
    """Callback: show what is hidden, or hide what is shown."""
    st.session_state[name] = not shown(name)


def shown(name: str) -> bool:
    return st.session_state.get(name, False)


def selected_rows(key: str) -> list[int]:
    """Places of the rows selected in the table `key`."""
    event = st.session_state.get(key) or {}
    return [int(row) for row in (event.get("selection") or {}).get("rows") or []]


def chart_selection(key: str) -> list[int]:
    """Row numbers (customdata) of the points selected on the Plotly chart `key`."""
    event = st.session_state.get(key) or {}
    points = (event.get("selection") or {}).get("points") or []
    return [int(_row_number(point.get("customdata"))) for point in points]


def _row_number(custom: Any) -> Any:
    return custom[0] if isinstance(custom, list | tuple) else custom

"""The cell of a confusion matrix that a person looks at."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.state.address import CELL
from app.state.widgets import chart_selection

_CELL = "_confusion_cell"


def texts_matrix(project: str) -> str:
    """The confusion page's matrix of a project: its cell stays chosen whoever's mistakes are looked at."""
    return f"texts:{project}"


def pick(matrix: str, cell: tuple[str, str]) -> None:
    """Keep the cell (true class, said class) of a confusion matrix that a person looks at."""
    st.session_state[_CELL] = (matrix, cell)


def selector(matrix: str, cells: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Prepare the selector of a matrix's cell just before it is drawn: its widget key and its options.

    It shows the cell picked in this tab, else the one in the address, else the first; one that is none of the options
    joins them.

    Args:
        cells: the options, with every class's own cell among them.
    """
    of, picked = st.session_state.get(_CELL, (None, None))
    known = {true for true, _ in cells}
    match picked if of == matrix else st.query_params.get_all(CELL):
        case [true, said] if {true, said} <= known:
            cell = (true, said)
        case _:
            cell = cells[0]
    st.query_params[CELL] = cell
    widget = f"cell_{matrix}"
    st.session_state[widget] = cell
    return widget, cells if cell in cells else [cell, *cells]


def take(matrix: str) -> None:
    """Callback of the selector of a matrix's cell."""
    pick(matrix, st.session_state[f"cell_{matrix}"])


def take_clicked(matrix: str, chart: str, keys: Sequence[str]) -> None:
    """Callback of a confusion matrix's chart, whose cells are numbered row by row; a click into the void keeps all."""
    for number in chart_selection(chart)[:1]:
        pick(matrix, (keys[number // len(keys)], keys[number % len(keys)]))

"""Filters and orders of the review; they live in the address, so a link opens the same view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from avion_core.studio.projects import ProjectSummary

_MEANS = {"flagged": True, "not flagged": False, "kept": True, "out": False}

_ORDERS: dict[str, Callable[[pd.DataFrame, float], pd.Series]] = {
    "least certain first": lambda table, zeta: uncertainty(table, zeta),
    "most influence first": lambda table, zeta: -table["influence"].fillna(0),
    "best match first": lambda table, zeta: -table["similarity"],
    "by class": lambda table, zeta: table["class_key"].rank(method="dense"),
}


def uncertainty(table: pd.DataFrame, zeta: float) -> pd.Series:
    """How far a text is from being a toss-up, smallest first: its z from the limit; less where flag and z disagree."""
    from_cut = (table["z"].fillna(0) - zeta).abs()
    disagree = table["flag"] != (table["z"].fillna(0) <= zeta)
    return from_cut - disagree


def review_filters(project: ProjectSummary, table: pd.DataFrame, zeta: float) -> tuple[pd.DataFrame, tuple[Any, ...]]:
    """Draw the filters.

    Returns:
        The rows that fit, in the chosen order; and what was chosen, to tell whether it changed.
    """
    names = {entry.key: entry.prompt_name for entry in project.classes}
    writers = sorted(table["writer"].unique())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = {
            "class_key": _choice("Class", [session.ALL, *names], lambda key: names.get(key, key), 210),
            "verdict": _choice("Verdict", [session.ALL, "undecided", "accepted", "rejected"], str, 150),
        }
        order = _choice("Order", list(_ORDERS), str, 210)
        narrowed = sum(session.filter_value(name, session.ALL) != session.ALL for name in ("RS-Flag", "Fate", "Writer"))
        narrowed += bool(session.filter_value("Words", ""))
        with st.popover(f"More filters ({narrowed})" if narrowed else "More filters", icon=":material/filter_list:"):
            chosen["flag"] = _choice("RS-Flag", [session.ALL, "flagged", "not flagged"], str, 240)
            chosen["kept"] = _choice("Fate", [session.ALL, "kept", "out"], str, 240)
            chosen["writer"] = _choice("Writer", [session.ALL, *writers], str, 240)
            words = st.text_input("Text contains", key=session.FILTERS["Words"], bind="query-params", width=240)
    view = table
    for column, value in chosen.items():
        if value != session.ALL:
            view = view[
                view[column] == {"flagged": True, "not flagged": False, "kept": True, "out": False}.get(value, value)
            ]
    if words:
        view = view[view["text"].str.contains(words, case=False, regex=False)]
    ranks = _ORDERS[order](view, zeta)
    return view.loc[ranks.sort_values(kind="stable").index], (*chosen.values(), order, words)


def _choice(name: str, options: list[str], shown: Callable[[str], str], width: int) -> str:
    key = session.FILTERS[name]
    session.forget_unknown(key, options)
    return st.selectbox(name, options, format_func=shown, key=key, bind="query-params", width=width)

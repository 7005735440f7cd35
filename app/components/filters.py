"""Filters and orders of the review; they live in the address, so a link opens the same view."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from avion_core.studio.projects import ProjectSummary

# What each choice asks of the table: a column and the value it must have.
CHOICES: dict[str, dict[str, tuple[str, Any]]] = {
    "Verdict": {
        "undecided": ("verdict", "undecided"),
        "accepted": ("verdict", "accepted"),
        "rejected": ("verdict", "rejected"),
        "edited": ("edited", True),
    },
    "My verdict": {
        "none yet": ("judged", False),
        "accepted": ("mine", "accepted"),
        "rejected": ("mine", "rejected"),
        "skipped": ("mine", "skipped"),
    },
    "RS-Flag": {"flagged": ("flag", True), "not flagged": ("flag", False)},
    "Broken rule": {
        "no overhead term": ("rule_positive", False),
        "ground-level term": ("rule_negative", False),
        "too short or long": ("rule_words", False),
    },
    "Fate": {"kept": ("kept", True), "out": ("kept", False)},
    "Disagreement": {
        "between reviewers": ("conflict", True),
        "between flag and z": ("at_odds", True),
    },
    "Worth a verdict": {"could change a prediction": ("matters", True), "cannot": ("matters", False)},
}
Z_TOP = 10.0
WEIGHTS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # percent of a class's prototype

ORDERS: dict[str, Callable[[pd.DataFrame, float], pd.Series]] = {
    "most uncertain": lambda table, zeta: uncertainty(table, zeta),
    "most influence": lambda table, zeta: -table["influence"].fillna(0),
    "best match": lambda table, zeta: -table["similarity"],
    "worst match": lambda table, zeta: table["similarity"],
    "by class": lambda table, zeta: table["class_key"].rank(method="dense"),
}


def uncertainty(table: pd.DataFrame, zeta: float) -> pd.Series:
    """How far a text is from being a toss-up, smallest first: its z from the limit; less where flag and z disagree."""
    from_cut = (table["z"].fillna(0) - zeta).abs()
    disagree = table["flag"] != (table["z"].fillna(0) <= zeta)
    return from_cut - disagree


def fitting(
    table: pd.DataFrame,
    wanted: Mapping[str, Any],
    z_range: tuple[float, float] = (0.0, Z_TOP),
    weight_range: tuple[float, float] = (0.0, 100.0),
    words: str = "",
    ids: Sequence[str] = (),
) -> pd.DataFrame:
    """The rows that pass every filter.

    Args:
        wanted: column -> the value it must have.
        z_range: robust z from, to; Z_TOP stands for "and more". weight_range: percent of the class's prototype.
        words: every word must occur in the text; "words in quotes" as one phrase; a word with a minus must not.
        ids: where any are given, only these descriptions.
    """
    fits = np.ones(len(table), dtype=bool)
    for column, value in wanted.items():
        fits &= (table[column] == value).to_numpy(dtype=bool)
    if ids:
        fits &= table["description_id"].isin(set(ids)).to_numpy()
    if z_range != (0.0, Z_TOP):
        low, high = z_range
        fits &= (table["z"] >= low).to_numpy() & ((table["z"] <= high).to_numpy() | (high == Z_TOP))
    if weight_range != (0.0, 100.0):
        percent = 100 * table["weight"]
        fits &= percent.between(*weight_range).to_numpy()
    view = table[fits]
    for minus, quoted, word in re.findall(r'(-?)(?:"([^"]+)"|(\S+))', words):
        holds = view["text"].str.contains(quoted or word, case=False, regex=False)
        view = view[~holds if minus else holds]
    return view


def review_filters(project: ProjectSummary, table: pd.DataFrame, zeta: float) -> tuple[pd.DataFrame, tuple[Any, ...]]:
    """Draw the filters.

    Args:
        table: the curation's table as the reviewer may see it (see `app.curated.Seen`).

    Returns:
        The rows that fit, in the chosen order; and what was chosen, to tell whether it changed.
    """
    names = {entry.key: entry.prompt_name for entry in project.classes}
    ids = session.sent_to_review()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        class_key = _choice("Class", list(names), lambda key: names.get(key, key), 170)
        chosen = {"Verdict": _choice("Verdict", list(CHOICES["Verdict"]), str, 135)}
        order = _choice("Order", list(ORDERS), str, 165, everything=False)
        words = st.text_input(
            "Search",
            key=session.FILTERS["Search"],
            bind="query-params",
            width=150,
            icon=":material/search:",
            help='Every word must occur; "two words" in quotes as a phrase; -word must not occur.',
        )
        narrowed = session.narrowed(["Class", "Verdict", "Order", "Search"])
        with st.popover(f"More filters ({narrowed})" if narrowed else "More filters", icon=":material/filter_list:"):
            left, right = st.columns(2, width=520)
            with left:
                for name in ("My verdict", "RS-Flag", "Broken rule", "Fate"):
                    chosen[name] = _choice(name, list(CHOICES[name]), str, 240)
            with right:
                for name in ("Disagreement", "Worth a verdict"):
                    chosen[name] = _choice(name, list(CHOICES[name]), str, 240)
                writer = _choice("Writer", sorted(table["writer"].unique()), str, 240)
                reviewer = _choice("Reviewer", sorted(set(table["reviewer"].unique()) - {""}), str, 240)
            z_range, weight_range = _ranges()
            st.button(
                "Clear the filters", icon=":material/filter_alt_off:", key="clear_some", on_click=session.clear_filters
            )
    wanted = dict(CHOICES[name][value] for name, value in chosen.items() if value != session.ALL)
    for column, value in (("class_key", class_key), ("writer", writer), ("reviewer", reviewer)):
        if value != session.ALL:
            wanted[column] = value
    view = fitting(table, wanted, z_range, weight_range, words, ids)
    ranks = ORDERS[order](view, zeta)
    # The second key keeps the order of equals the same from one day to the next.
    return view.loc[ranks.sort_values(kind="stable").index], (
        *wanted.items(),
        z_range,
        weight_range,
        words,
        order,
        tuple(ids),
    )


def sent_banner() -> None:
    """Say that only what another page sent is shown, with the way back to everything."""
    ids = session.sent_to_review()
    if ids:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":material/move_to_inbox: Only the **{len(ids):,}** descriptions that were sent here.", width="content"
            )
            st.button("Show all", key="show_all", type="tertiary", on_click=session.forget_sent_to_review)


def _choice(name: str, options: list[str], shown: Callable[[str], str], width: int, *, everything: bool = True) -> str:
    options = [session.ALL, *options] if everything else options
    key = session.FILTERS[name]
    session.forget_unknown(key, options)
    return st.selectbox(name, options, format_func=shown, key=key, bind="query-params", width=width)


def _ranges() -> tuple[tuple[float, float], tuple[float, float]]:
    z_range = st.slider(
        "Robust z",
        0.0,
        Z_TOP,
        (0.0, Z_TOP),
        0.1,
        key=session.FILTERS["Robust z"],
        bind="query-params",
        help=f"{Z_TOP:g} stands for {Z_TOP:g} and more.",
    )
    weight_range = st.select_slider(
        "Weight in the prototype",
        WEIGHTS,
        (0.0, 100.0),
        format_func=lambda percent: f"{percent:g} %",
        key=session.FILTERS["Weight"],
        bind="query-params",
    )
    return z_range, weight_range

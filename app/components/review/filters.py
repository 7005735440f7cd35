"""Filters and orders of the review; they live in the address, so a link opens the same view."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.components.review.waiting import undecided
from app.state import filter_values, sent_lists, widgets, work_lists
from avion_core.usecases.curation import ReviewerView
from avion_core.usecases.projects.summaries import ProjectSummary

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
        "longer than the teacher reads": ("too_long", True),
    },
    "Kept or cut": {"kept": ("kept", True), "cut": ("kept", False)},
    "Disagreement": {
        "between reviewers": ("conflict", True),
        "between flag and z": ("at_odds", True),
    },
    "Effect of a verdict": {
        "could change a prediction": ("decisive", True),
        "class not settled": ("settled", False),
        "class settled": ("settled", True),
    },
}
Z_TOP = 10.0
WEIGHTS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # percent of a class's prototype

ORDERS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "most uncertain": lambda table: uncertainty(table),
    "most influence": lambda table: -table["influence"].fillna(0),
    "best match": lambda table: -table["similarity"],
    "worst match": lambda table: table["similarity"],
    "by class": lambda table: table["class_key"].rank(method="dense"),
}

_LISTED = ["description_id", "class_key", "text", "verdict", "judged", "at_odds", "past_cut", "influence", "similarity"]


def uncertainty(table: pd.DataFrame) -> pd.Series:
    """How far a text is from being a toss-up, smallest first: its z from the cut; less where flag and z disagree."""
    return table["past_cut"].abs() - table["at_odds"]


@dataclass(frozen=True)
class Filters:
    """What is asked of the list; equal ones ask for the same list."""

    wanted: tuple[tuple[str, Any], ...] = ()
    """(column, the value it must have)."""
    z_range: tuple[float, float] = (0.0, Z_TOP)
    """Robust z from, to; Z_TOP stands for "and more"."""
    weight_range: tuple[float, float] = (0.0, 100.0)
    """Percent of the class's prototype."""
    words: str = ""
    """Every word must occur in the text; "words in quotes" as one phrase; a word with a minus must not."""
    judged_by: str = ""
    """Whose verdict must stand on the text, "" for anybody's or none."""
    ids: tuple[str, ...] = ()
    """Where any are given, only these descriptions."""
    order: str = next(iter(ORDERS))
    """One of ORDERS."""

    def listing(self, table: pd.DataFrame) -> tuple[list[str], str]:
        """The ids that pass, in order; and where to start: the first undecided one that the reviewer did not skip.

        Where there is none it is the first of all; "" of none.
        """
        view = fitting(table, self)
        ranks = ORDERS[self.order](view)
        view = view.iloc[np.argsort(ranks.to_numpy(), kind="stable")]
        ids = view["description_id"].tolist()
        waiting = np.flatnonzero(undecided(view))
        return ids, ids[waiting[0] if len(waiting) else 0] if ids else ""


def fitting(table: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """The rows that pass every filter."""
    fits = np.ones(len(table), dtype=bool)
    for column, value in filters.wanted:
        fits &= (table[column] == value).to_numpy(dtype=bool)
    if filters.ids:
        fits &= table["description_id"].isin(set(filters.ids)).to_numpy()
    if filters.judged_by:
        fits &= np.array([filters.judged_by in names for names in table["judged_by"]], dtype=bool)
    low, high = filters.z_range
    if filters.z_range != (0.0, Z_TOP):
        fits &= (table["z"] >= low).to_numpy() & ((table["z"] <= high).to_numpy() | (high == Z_TOP))
    if filters.weight_range != (0.0, 100.0):
        fits &= (100 * table["weight"]).between(*filters.weight_range).to_numpy()
    # The list needs few of the columns, and copying fifty thousand rows of all of them takes longer than sorting.
    view = table[_LISTED][fits]
    for minus, quoted, word in re.findall(r'(-?)(?:"([^"]+)"|(\S+))', filters.words):
        holds = view["text"].str.contains(quoted or word, case=False, regex=False)
        view = view[~holds if minus else holds]
    return view


def review_filters(project: ProjectSummary, view: ReviewerView, sent: Sequence[str]) -> Filters:
    """Draw the filters, and say what they ask for."""
    table = view.table
    names = {entry.key: entry.prompt_name for entry in project.classes}
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        class_key = _choice("Class", list(names), lambda key: names.get(key, key), 170)
        chosen = {"Verdict": _choice("Verdict", list(CHOICES["Verdict"]), str, 135)}
        order = _choice("Order", list(ORDERS), str, 165, everything=False)
        words = st.text_input(
            "Search",
            key=filter_values.KEYS["Search"],
            bind="query-params",
            width=150,
            icon=":material/search:",
            help='All words must occur; "two words" in quotes is a phrase; -word must not occur.',
        )
        narrowed = filter_values.narrowed(["Class", "Verdict", "Order", "Search"])
        with st.popover(f"More filters ({narrowed})" if narrowed else "More filters", icon=":material/filter_list:"):
            left, right = st.container(key="filters_more").columns(2, width=520)
            with left:
                for name in ("My verdict", "RS-Flag", "Broken rule", "Kept or cut"):
                    chosen[name] = _choice(name, list(CHOICES[name]), str, 240)
            with right:
                for name in ("Disagreement", "Effect of a verdict"):
                    chosen[name] = _choice(name, list(CHOICES[name]), str, 240)
                writer = _choice("Writer", sorted(table["writer"].unique()), str, 240)
                reviewer = _choice("Reviewer", view.judges, str, 240)
            z_range, weight_range = _ranges()
            off = ":material/filter_alt_off:"
            st.button("Clear the filters", icon=off, key="clear_some", on_click=filter_values.clear)
    wanted = [CHOICES[name][value] for name, value in chosen.items() if value != widgets.ALL]
    others = (("class_key", class_key), ("writer", writer))
    wanted += [(column, value) for column, value in others if value != widgets.ALL]
    judge = "" if reviewer == widgets.ALL else reviewer
    return Filters(tuple(wanted), z_range, weight_range, words or "", judge, tuple(sent), order)


def sent_banner(sent: Sequence[str]) -> None:
    """Say that only what another page sent is shown, with the way back to everything."""
    if sent:
        with st.container(horizontal=True, vertical_alignment="center"):
            only = f":material/move_to_inbox: Only the **{len(sent):,}** descriptions sent from another page."
            st.markdown(only, width="content")
            forget = {"on_click": sent_lists.forget, "args": (work_lists.REVIEW_CARD,)}
            st.button("Show all", key="show_all", type="tertiary", **forget)


def _choice(name: str, options: list[str], shown: Callable[[str], str], width: int, *, everything: bool = True) -> str:
    options = [widgets.ALL, *options] if everything else options
    key = filter_values.KEYS[name]
    widgets.forget_unknown(key, options)
    return st.selectbox(name, options, format_func=shown, key=key, bind="query-params", width=width)


def _ranges() -> tuple[tuple[float, float], tuple[float, float]]:
    z_range = st.slider(
        "Robust z",
        0.0,
        Z_TOP,
        (0.0, Z_TOP),
        0.1,
        key=filter_values.KEYS["Robust z"],
        bind="query-params",
        help=f"{Z_TOP:g} means {Z_TOP:g} or more.",
    )
    weight_range = st.select_slider(
        "Weight in the prototype",
        WEIGHTS,
        (0.0, 100.0),
        format_func=lambda percent: f"{percent:g} %",
        key=filter_values.KEYS["Weight"],
        bind="query-params",
    )
    return z_range, weight_range

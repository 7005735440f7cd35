"""Filters and orders of the review: which descriptions pass, and which come first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from app.components.review.filters import CHOICES, Z_TOP, Filters, fitting
from avion_core.usecases.curation import Sight, seen_by


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "description_id": ["d0", "d1", "d2", "d3"],
            "class_key": ["forest", "forest", "beach", "beach"],
            "text": ["Aerial view of a forest", "Trees along the road", "A sandy beach, aerial view", "Sand"],
            "verdict": ["accepted", "rejected", "undecided", "undecided"],
            "mine": ["accepted", "", "skipped", ""],
            "judged": [True, False, True, False],
            "edited": [False, True, False, False],
            "judged_by": [("ana", "me"), ("ana",), (), ()],
            "flag": [True, False, True, False],
            "rule_positive": [True, False, True, False],
            "rule_negative": [True, False, True, True],
            "rule_words": [True, True, True, False],
            "kept": [True, False, True, None],
            "conflict": [False, True, False, False],
            "at_odds": [False, False, True, False],
            "decisive": [True, False, True, False],
            "settled": [True, True, False, False],
            "past_cut": [-2.5, -0.1, 11.0, float("-inf")],
            "z": [0.5, 2.9, 14.0, float("nan")],
            "weight": [0.021, 0.0, 0.3, float("nan")],
            "influence": [0.4, 0.0, 2.0, float("nan")],
            "similarity": [0.3, 0.1, 0.4, 0.2],
        }
    )


def passing(table: pd.DataFrame, **filters: Any) -> list[str]:
    return fitting(table, Filters(**filters))["description_id"].tolist()


@pytest.mark.parametrize(
    ("name", "choice", "expected"),
    [
        ("Verdict", "undecided", ["d2", "d3"]),
        ("Verdict", "edited", ["d1"]),
        ("My verdict", "none yet", ["d1", "d3"]),
        ("My verdict", "skipped", ["d2"]),
        ("RS-Flag", "not flagged", ["d1", "d3"]),
        ("Broken rule", "no overhead term", ["d1", "d3"]),
        ("Broken rule", "ground-level term", ["d1"]),
        ("Broken rule", "too short or long", ["d3"]),
        ("Kept or cut", "kept", ["d0", "d2"]),
        ("Kept or cut", "cut", ["d1"]),
        ("Disagreement", "between reviewers", ["d1"]),
        ("Disagreement", "between flag and z", ["d2"]),
        ("Effect of a verdict", "could change a prediction", ["d0", "d2"]),
        ("Effect of a verdict", "class not settled", ["d2", "d3"]),
    ],
)
def test_each_choice_lets_its_own_pass(name: str, choice: str, expected: list[str], table: pd.DataFrame) -> None:
    assert passing(table, wanted=(CHOICES[name][choice],)) == expected


def test_a_reviewer_finds_what_they_judged_whoever_decided_last(table: pd.DataFrame) -> None:
    assert passing(table, judged_by="ana") == ["d0", "d1"]
    assert passing(table, judged_by="me") == ["d0"]


def test_filters_add_up(table: pd.DataFrame) -> None:
    assert passing(table, wanted=(("class_key", "beach"), ("verdict", "undecided")), words="sand -beach") == ["d3"]
    assert passing(table, wanted=(("class_key", "beach"),), ids=("d0", "d3")) == ["d3"]


@pytest.mark.parametrize(
    ("z_range", "expected"),
    [
        ((0.0, Z_TOP), ["d0", "d1", "d2", "d3"]),
        ((2.0, 5.0), ["d1"]),
        ((2.0, Z_TOP), ["d1", "d2"]),
        ((0.0, 1.0), ["d0"]),
    ],
)
def test_the_top_of_the_z_range_stands_for_more(z_range: tuple, expected: list[str], table: pd.DataFrame) -> None:
    assert passing(table, z_range=z_range) == expected


def test_weights_are_percent(table: pd.DataFrame) -> None:
    assert passing(table, weight_range=(2.0, 5.0)) == ["d0"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("AERIAL", ["d0", "d2"]),
        ("aerial beach", ["d2"]),
        ('"view of"', ["d0"]),
        ('-"aerial view"', ["d1", "d3"]),
        ("(a|b", []),
    ],
)
def test_search_takes_words_phrases_and_what_must_not_occur(
    words: str, expected: list[str], table: pd.DataFrame
) -> None:
    assert passing(table, words=words) == expected


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("most uncertain", "d1"),
        ("most influence", "d2"),
        ("best match", "d2"),
        ("worst match", "d1"),
        ("by class", "d2"),
    ],
)
def test_orders(order: str, first: str, table: pd.DataFrame) -> None:
    ids, start = Filters(order=order).listing(table)
    assert ids[0] == first
    assert start == "d3"  # of the two undecided ones, the one that was not skipped


def test_where_everything_is_decided_or_skipped_the_review_starts_at_the_top(table: pd.DataFrame) -> None:
    ids, start = Filters(order="best match").listing(table.assign(judged=True))
    assert start == ids[0]


def test_flag_and_z_disagree_where_z_cuts_what_the_flag_likes_or_passes_what_it_does_not(table: pd.DataFrame) -> None:
    curation: Any = SimpleNamespace(table=table.drop(columns=["mine", "judged", "at_odds", "settled"]))
    shown = seen_by("me", Sight(False, {}), curation).table
    assert shown["at_odds"].tolist() == [False, True, True, True]  # the last: no z can cut it


def test_nothing_that_fits_is_an_empty_list(table: pd.DataFrame) -> None:
    assert Filters(words="zebra").listing(table) == ([], "")

"""One figure and one sentence why."""

from __future__ import annotations

import math

import pytest

from app.kit.explain import figures, influence_figure, similarity_figure, weight_figure, z_figure

ROW = {
    "similarity": 0.3,
    "median": 0.28,
    "z": 1.2,
    "kept": True,
    "verdict": "undecided",
    "weight": 0.1,
    "influence": 0.4,
}


def test_the_four_figures() -> None:
    assert [figure.name for figure in figures(ROW, [0.1, 0.2, 0.3], 10.0, 3.0)] == [
        "Similarity",
        "Robust z",
        "Weight",
        "Influence",
    ]


def test_similarity_is_ranked_among_the_others() -> None:
    assert "than 2 of the 3 other texts" in similarity_figure(0.3, [0.1, 0.2, 0.3, 0.4]).sentence
    assert "than 0 of the 3 other texts" in similarity_figure(0.1, [0.1, 0.2, 0.3, 0.4]).sentence


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "1.80 below the cut of 3; the similarity is above the median."),
        ({"similarity": 0.2}, "1.80 below the cut of 3; the similarity is below the median."),
        (
            {"z": 4.5, "kept": False, "similarity": 0.1},
            "An outlier: 1.50 above the cut of 3; the similarity is below the median.",
        ),
        ({"z": 4.5, "verdict": "accepted"}, "Above the cut of 3, but kept: a reviewer accepted it."),
        ({"z": 4.5}, "Above the cut of 3, but kept: only similarities below the median are cut."),
    ],
)
def test_z_says_how_far_the_cut_is(change: dict, expected: str) -> None:
    assert z_figure(ROW | change, 3.0).sentence == expected


def test_a_blind_review_tells_nothing_of_others() -> None:
    shown = figures(ROW | {"weight": math.nan, "influence": math.nan, "kept": None, "z": 4.5}, [0.1, 0.3], 10.0, 3.0)
    assert [figure.value for figure in shown] == ["0.300", "4.50", "–", "–"]
    assert shown[1].sentence == "1.50 above the cut of 3; the similarity is above the median."


def test_a_class_without_a_text_in_play_has_no_z() -> None:
    assert z_figure(ROW | {"z": math.nan}, 3.0).value == "–"


def test_scores_without_spread_do_not_flood_the_page() -> None:
    assert z_figure(ROW | {"z": 7e5, "kept": False}, 3.0).value == "≫ 1000"


@pytest.mark.parametrize(("weight", "compared"), [(0.1, "about"), (0.2, "more than"), (0.02, "less than")])
def test_weight_is_compared_with_an_even_share(weight: float, compared: str) -> None:
    figure = weight_figure(weight, 10.0)
    assert figure.value == f"{100 * weight:.1f} %"
    assert f"{compared} an even share of 10.0 %" in figure.sentence


def test_what_is_out_has_no_weight_and_no_influence() -> None:
    assert "Not part" in weight_figure(0.0, 10.0).sentence
    assert influence_figure(0.0, 0.0).sentence == "Leaving it out changes nothing."
    assert "0.40°" in influence_figure(0.4, 0.1).sentence

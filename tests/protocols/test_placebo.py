"""What is said of a placebo test: figures against counts by hand, and the sentence of each class."""

# pyright: reportIndexIssue=false, reportArgumentType=false, reportCallIssue=false, reportOptionalSubscript=false
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from avion_core.descriptions.placebo import NAMED, NAMELESS, OWN, RANDOM, SHUFFLED, TEMPLATE
from avion_core.metrics.accuracy import paired_change, wilson_interval
from avion_core.protocols.placebo import ALL, Placebo

NAMES = {"river": "river", "forest": "forest"}


def answers(shares: dict[str, dict[str, list[list[int]]]], judge: str = "teacher") -> pd.DataFrame:
    """control -> class -> draws x images."""
    rows = [
        (judge, control, draw, f"{key}{place}", key, bool(right))
        for control, by_class in shares.items()
        for key, draws in by_class.items()
        for draw, images in enumerate(draws)
        for place, right in enumerate(images)
    ]
    return pd.DataFrame(rows, columns=["judge", "control", "draw", "image_id", "class_key", "right"])


def constant(river: dict[str, float], forest: dict[str, float], images: int = 20) -> Placebo:
    """Each control right on the first share of a class's images, in two draws of what is random."""
    shares = {
        control: {
            key: [[int(place < share[control] * images) for place in range(images)]] * (2 if control == RANDOM else 1)
            for key, share in (("river", river), ("forest", forest))
            if control in share
        }
        for control in (OWN, TEMPLATE, SHUFFLED, RANDOM, NAMED, NAMELESS)
    }
    return Placebo(answers(shares), NAMES)


GOOD = {OWN: 0.9, TEMPLATE: 0.3, SHUFFLED: 0.0, RANDOM: 0.05, NAMED: 0.4, NAMELESS: 0.8}
EMPTY = {OWN: 0.5, TEMPLATE: 0.55, SHUFFLED: 0.1, RANDOM: 0.1, NAMED: 0.5, NAMELESS: 0.1}


def test_figures_by_hand():
    found = constant(GOOD, EMPTY).figures().set_index(["control", "part"])
    assert set(found.index.get_level_values("part")) == {ALL, "river", "forest"}
    row = found.loc[(RANDOM, "river")]
    assert (row["n"], row["draws"], row["value"]) == (20, 2, pytest.approx(5))
    assert (row["low"], row["high"]) == pytest.approx(wilson_interval(1, 20))
    assert row["gain"] == pytest.approx(85)
    assert row["gain_low"] > 0
    own = found.loc[(OWN, ALL)]
    assert own["value"] == pytest.approx(70)
    assert np.isnan(own["gain"])
    assert found.loc[(TEMPLATE, ALL), "gain"] == pytest.approx((0.6 * 20 - 0.05 * 20) / 40 * 100)


def test_a_sentence_for_each_class():
    found = constant(GOOD, EMPTY)
    assert [one.part for one in found.verdicts("teacher")] == ["river", "forest"]
    river, forest = found.verdicts("teacher")
    assert (river.meaning, forest.meaning) == ("yes", "unclear")
    assert river.sentence == (
        "river: its words carry meaning to this teacher. Without the name of the class they find 80 % of 20 held-out "
        "images, random words 5 %; with it 90 %, more than the template (30 %)."
    )
    assert forest.sentence.startswith("forest: it cannot be shown that its words carry meaning to this teacher.")
    assert forest.sentence.endswith("with it 50 %, no clear difference from the template (55 %).")
    assert found.verdict("teacher").sentence == (
        "All classes together: their words carry meaning to this teacher. Without the names of the classes they find "
        "45 % of 40 held-out images, random words 8 %; with them 70 %, more than the template (42 %)."
    )


def test_words_that_mislead_are_called_so():
    bad = constant(GOOD | {NAMELESS: 0.0, RANDOM: 0.9, OWN: 0.1, TEMPLATE: 0.9}, EMPTY).verdict("teacher", "river")
    assert bad.meaning == "misleads"
    assert "its words mislead this teacher" in bad.sentence
    assert "less than the template" in bad.sentence


def test_where_nothing_is_left_nothing_is_said():
    nameless = {control: share for control, share in EMPTY.items() if control != NAMELESS}
    found = constant(GOOD, nameless)
    forest = found.verdict("teacher", "forest")
    assert forest.sentence == "forest: nothing can be said, for without its name nothing is left of its descriptions."
    # The whole is then said of the images that have both.
    assert found.gain("teacher", ALL, NAMELESS, RANDOM) == found.gain("teacher", "river", NAMELESS, RANDOM)
    missing = Placebo(found.answers[found.answers["class_key"] == "river"], NAMES).verdict("teacher", "forest")
    assert (missing.images, missing.meaning) == (0, "none")
    assert missing.sentence == "forest: nothing can be said, for no image is held out."


def test_draws_widen_the_interval_by_what_they_differ():
    own = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0, 1, 0]])
    same = torch.tensor([[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]).repeat(4, 1)
    differing = same.clone()
    differing[::2] = 1 - differing[::2]
    _, low, high = paired_change(same, own)
    assert (low, high) == paired_change(same[0], own[0])[1:]  # draws that agree add nothing
    change, wide_low, wide_high = paired_change(differing, own)
    assert change == pytest.approx(100 * (0.5 - 0.5))
    means = differing.double().mean(1)
    d = own[0].double() - differing.double().mean(0)
    centre = d.sum() / 12
    variance = ((d.square().sum() + 1) / 12 - centre**2) / 12 + means.var() / 4
    assert wide_high - wide_low == pytest.approx(2 * 196 * variance.sqrt().item(), rel=1e-3)
    assert wide_high - wide_low > high - low


def test_intervals_cover_over_images_and_draws():
    """95 % intervals of the gain over a random control hold the true gain about as often as they say."""
    random, covered, trials = np.random.default_rng(0), 0, 400
    for _ in range(trials):
        effect = random.normal(0, 0.1, 5)  # of a draw, as one circle of classes is better than another
        own = random.random(60) < 0.6
        control = random.random((5, 60)) < np.clip(0.3 + effect, 0, 1)[:, None]
        _, low, high = paired_change(torch.from_numpy(control), torch.from_numpy(own))
        covered += low <= 30 <= high
    assert covered / trials > 0.92

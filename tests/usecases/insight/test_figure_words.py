"""Figures in words: n and interval, and what can be told apart."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pandas as pd
import pytest

from avion_core.metrics.accuracy import paired_change, wilson_interval
from avion_core.metrics.paired import mcnemar
from avion_core.protocols.report import Report
from avion_core.usecases.insight.evaluation import Change
from avion_core.usecases.insight.figure_words import change_in_words, interval, right_of, told_apart, when_timed


def measured(metric: str, value: float, low: float = nan, high: float = nan) -> dict:
    return {"metric": metric, "value": value, "low": low, "high": high, "interval": "Wilson", "n": 24}


def compared(before: list[bool], after: list[bool]) -> Change:
    total = paired_change(before, after) if before else (nan, nan, nan)
    gained = sum(now and not then for then, now in zip(before, after, strict=True))
    lost = sum(then and not now for then, now in zip(before, after, strict=True))
    return Change(total, mcnemar(gained, lost), pd.DataFrame(), len(before), len(before))


def test_a_share_says_how_many_of_how_many() -> None:
    low, high = wilson_interval(22, 24)
    said = interval(measured("accuracy", 100 * 22 / 24, low, high))
    assert said == "22 of 24 right, 95 % interval 74.2 to 97.7 (Wilson)"
    assert right_of(22, 24) == "22 of 24 right (91.7 %, 95 % interval 74.2 to 97.7)"
    assert right_of(0, 0) == "no image"
    assert interval(measured("macro_f1", 91.0, 70.0, 97.0)) == "24 images, 95 % interval 70.0 to 97.0 (Wilson)"
    assert interval(measured("calibration_error", 9.0)) == "24 images"


def test_one_image_of_24_is_not_told_apart_and_ten_are() -> None:
    before = [True] * 12 + [False] * 12
    one = change_in_words(compared(before, [True] * 13 + [False] * 11), "the untrained student")
    assert one == "+4.2 points, not distinguishable from the untrained student on these 24 images"
    ten = compared(before, [True] * 22 + [False] * 2)
    assert told_apart(*ten.total[1:])
    assert change_in_words(ten, "it") == "+41.7 points against it on these 24 images"
    assert change_in_words(compared(before, before), "it") == "as many right as it on these 24 images"
    assert "no image was measured by both" in change_in_words(compared([], []), "it")
    assert not told_apart(nan, nan)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (None, "Whether that was a quiet moment is not known."),
        (0.04, "Timed at a quiet moment."),
        (0.83, "Not timed at a quiet moment: other programs took 83 % of the processors, so it can be faster."),
    ],
)
def test_times_say_whether_the_moment_was_quiet(share: float | None, said: str) -> None:
    report = Report(pd.DataFrame(), pd.DataFrame(), "avion", "student", "few-shot", "validation", 1, 1, [], {})
    assert when_timed(replace(report, others_at_work=share)) == said

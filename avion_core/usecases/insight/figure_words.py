"""Figures in words: how many of how many, how sure, and whether two can be told apart at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from avion_core.machine import QUIET
from avion_core.metrics.accuracy import wilson_interval
from avion_core.wording import counted

if TYPE_CHECKING:
    from avion_core.protocols.report import Report
    from avion_core.usecases.insight.evaluation import Change

_SHARES = ("accuracy", "far_accuracy")
"""Metrics that are the share of images that are right; others are means of several."""


def how_many(figure: Mapping[Any, Any]) -> str:
    """ "22 of 24 right" of a share; "24 images" of any other figure of a report."""
    images = int(figure["n"])
    if figure["metric"] not in _SHARES:
        return counted(images, "image")
    return f"{round(figure['value'] * images / 100):,} of {images:,} right"


def interval(figure: Mapping[Any, Any]) -> str:
    """How far a figure can be trusted: "22 of 24 right, 95 % interval 74.2 to 97.7 (Wilson)"."""
    if pd.isna(figure["low"]):
        return how_many(figure)
    return f"{how_many(figure)}, 95 % interval {figure['low']:.1f} to {figure['high']:.1f} ({figure['interval']})"


def told_apart(low: float, high: float) -> bool:
    """Whether the interval of a change leaves no change out. NaN: it does not."""
    return low > 0 or high < 0


def change_in_words(found: Change, against: str) -> str:
    """ "+4.2 points, not distinguishable from the untrained student on these 24 images"."""
    points, low, high = found.total
    if not found.images:
        return f"not comparable with {against}: no image was measured by both"
    images = counted(found.images, "image")
    if points == 0:
        return f"as many right as {against} on these {images}"
    if told_apart(low, high):
        return f"{points:+.1f} points against {against} on these {images}"
    return f"{points:+.1f} points, not distinguishable from {against} on these {images}"


def when_timed(report: Report) -> str:
    """Whether a report's times were taken at a quiet moment, as a sentence."""
    share = report.others_at_work
    if share is None:
        return "Whether that was a quiet moment is not known."
    if share <= QUIET:
        return "Timed at a quiet moment."
    return (
        f"Not timed at a quiet moment: other programs took {100 * share:.0f} % of the processors, so it can be faster."
    )


def right_of(right: int, images: int) -> str:
    """ "22 of 24 right (91.7 %, 95 % interval 74.2 to 97.7)"; "no image" of none."""
    if not images:
        return "no image"
    low, high = wilson_interval(right, images)
    return f"{right:,} of {images:,} right ({100 * right / images:.1f} %, 95 % interval {low:.1f} to {high:.1f})"

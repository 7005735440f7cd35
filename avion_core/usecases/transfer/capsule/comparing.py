"""What differs between two reports of the same run, figure by figure and image by image.

Computed the same way, a figure is the same where it rounds to what tables print. Computed another way (another kind of
processor, number of threads or PyTorch), it is within the tolerance where it lies in the 95 % interval of the first
(docs/determinism.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from avion_core.distill.arithmetic import Arithmetic, Stretch
from avion_core.protocols.report import Report

ROUNDING = 0.05
"""Percentage points (of a temperature, its own unit)."""
SAME, WITHIN, DIFFERS, MISSING, NEW = "same", "within", "differs", "missing", "new"
JUDGED_SAME = (SAME, WITHIN, NEW)
FIGURE_COLUMNS = ("method", "model", "part", "metric", "then", "now", "difference", "said")
"""`then`, `now`: percent. said: SAME, WITHIN the tolerance, DIFFERS, MISSING (not measured now) or NEW (not then)."""
PREDICTION_COLUMNS = ("method", "model", "part", "images", "changed", "missing")
"""images: that were asked about then. changed: of which another class is said now. missing: that only one of the two
was asked about."""
_ROW = ["method", "model", "part", "metric"]
_ASKED = ["method", "model", "part", "image_id"]


def figure_differences(then: Report, now: Report, *, same_way: bool) -> pd.DataFrame:
    """Columns FIGURE_COLUMNS, a row for each figure of either.

    Args:
        same_way: both were computed with the same arithmetic.
    """
    kept = [*_ROW, "value", "low", "high"]
    both = then.figures[kept].merge(
        now.figures[[*_ROW, "value"]], on=_ROW, how="outer", suffixes=("", "_now"), indicator=True, sort=False
    )
    value, again = both["value"].to_numpy(float), both["value_now"].to_numpy(float)
    equal = (np.abs(value - again) <= ROUNDING) | (np.isnan(value) & np.isnan(again))
    inside = (both["low"].to_numpy(float) <= again) & (again <= both["high"].to_numpy(float))
    if same_way:
        inside[:] = False
    else:  # figures without an interval, calibration say, have no tolerance to be held to
        inside |= both["low"].isna().to_numpy() & ~np.isnan(again)
    said = np.select(
        [both["_merge"] == "left_only", both["_merge"] == "right_only", equal, inside],
        [MISSING, NEW, SAME, WITHIN],
        DIFFERS,
    )
    table = both[_ROW].assign(then=value, now=again, difference=again - value, said=said)
    return table[list(FIGURE_COLUMNS)]


def prediction_differences(then: Report, now: Report) -> pd.DataFrame:
    """Columns PREDICTION_COLUMNS, a row for each method, model and part of either."""
    said = [report.predictions[[*_ASKED, "predicted"]].drop_duplicates(_ASKED) for report in (then, now)]
    both = said[0].merge(said[1], on=_ASKED, how="outer", suffixes=("", "_now"), indicator=True, sort=False)
    common = both["_merge"] == "both"
    both = both.assign(
        images=both["_merge"] != "right_only",
        changed=common & (both["predicted"] != both["predicted_now"]),
        missing=~common,
    )
    counts = both.groupby(["method", "model", "part"], sort=False)[["images", "changed", "missing"]].sum()
    return counts.reset_index()[list(PREDICTION_COLUMNS)]


def computed_alike(then: Sequence[Stretch], now: Sequence[Stretch]) -> bool:
    """Whether two runs were computed with the same arithmetic throughout; False where that is not known."""
    if not then or not now:
        return False
    first = then[0].arithmetic
    return first is not None and all(one.arithmetic == first for one in (*then, *now))


def ways(stretches: Sequence[Stretch]) -> list[Arithmetic]:
    """What a run was computed with, each once."""
    found: list[Arithmetic] = []
    for one in stretches:
        if one.arithmetic is not None and one.arithmetic not in found:
            found.append(one.arithmetic)
    return found

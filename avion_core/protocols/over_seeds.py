"""Reports of the same settings under several seeds, summed up: a row of the tables of `result_tables`."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from avion_core.metrics.accuracy import paired_change
from avion_core.protocols.report import Report

_NONE = (math.nan, math.nan, math.nan)


def over_seeds(
    measured: Sequence[Report],
    part: str,
    metric: str,
    *,
    against: Sequence[Report] = (),
    seconds: Sequence[float] = (),
) -> dict[str, Any]:
    """One figure of reports that differ in their seed, in the columns of `result_tables.COLUMNS` but for where it is
    of and what was published.

    Args:
        measured: one report at least.
        against: reports of what they are compared with, on the same images of the same seeds; () for nothing.
        seconds: of each run's training.
    """
    figures = [figure for report in measured if (figure := report.figure(part, metric)) is not None]
    values = np.array([figure["value"] for figure in figures], dtype=float)
    gain, low, high = _gain(measured, against, part) if metric == "accuracy" else _NONE
    return {
        "part": "" if part == "all" else part,
        "metric": metric,
        "mean": float(values.mean()) if len(values) else math.nan,
        "deviation": float(values.std(ddof=1)) if len(values) > 1 else math.nan,
        "seeds": len(values),
        "images": figures[0]["n"] if figures else 0,
        "gain": gain,
        "gain_low": low,
        "gain_high": high,
        "seconds": sum(seconds) / len(seconds) if seconds else math.nan,
        "parameters": figures[0]["parameters"] if figures else math.nan,
    }


def published_beside(known: pd.DataFrame, report: Report, part: str, metric: str) -> dict[str, Any]:
    """A paper's figure for the same method, model, part and metric, with its source; NaN for none.

    Args:
        known: the published figures that may stand beside the report (see `published.published_figures`).
    """
    fits = (known["method"] == report.method) & (known["model"] == report.model)
    found = known[fits & (known["part"] == part) & (known["metric"] == metric)]
    if found.empty:
        return {"published": math.nan, "source": "", "note": ""}
    return {"published": found["value"].iloc[0], "source": found["source"].iloc[0], "note": found["note"].iloc[0]}


def _gain(measured: Sequence[Report], against: Sequence[Report], part: str) -> tuple[float, float, float]:
    """Points over another row on the same images of the same seeds; an image counts once, by its share of seeds."""
    others = {report.seed: report for report in against}
    pairs = [
        report.said(part).merge(others[report.seed].said(part), on="image_id", suffixes=("", "_other"))
        for report in measured
        if report.seed in others
    ]
    if not pairs:
        return _NONE
    both = pd.concat(pairs).groupby("image_id")[["correct", "correct_other"]].mean()
    return paired_change(*(torch.tensor(both[name].to_numpy(float)) for name in ("correct_other", "correct")))

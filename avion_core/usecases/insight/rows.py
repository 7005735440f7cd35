"""A report's rows for people: what each is called, what it is, and which figures answer first."""

from __future__ import annotations

import pandas as pd

from avion_core.methods import METHODS, find_method
from avion_core.methods.bench import Model
from avion_core.protocols.report import OVERALL, Report


def row_title(method: str, model: Model) -> str:
    """ "AVION", "Student, class mean"; the name itself of a method that this version does not know."""
    return find_method(method).row_title(model) if method in METHODS else method


def figure_title(report: Report, method: str, model: Model, part: str, metric: str) -> str:
    """The title of a row and, where a protocol has several parts, which figure it is: "AVION, harmonic mean"."""
    if len(report.parts) == 1:
        return row_title(method, model)
    return f"{row_title(method, model)}, {(metric if part == OVERALL else part).replace('_', ' ')}"


def headline_rows(report: Report) -> pd.DataFrame:
    """Every method's figures that answer first, the run's own rows first.

    Columns: title, value, low, high, interval, n, seconds, parameters, what, method, model, part, metric.
    """
    own = (report.method, report.model)
    rows = report.figures.drop_duplicates(["method", "model"])[["method", "model"]].itertuples(index=False, name=None)
    listed = []
    for method, model in sorted(rows, key=lambda row: row != own):
        for part, metric in report.headline():
            figure = report.figure(part, metric, method, model)
            if figure is not None:
                what = find_method(method).what if method in METHODS else ""
                listed.append({**figure, "title": figure_title(report, method, model, part, metric), "what": what})
    first = ["title", "value", "low", "high", "interval", "n", "seconds", "parameters", "what"]
    return pd.DataFrame(listed)[[*first, "method", "model", "part", "metric"]]

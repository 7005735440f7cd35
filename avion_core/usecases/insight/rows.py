"""A report's rows for people: what each is called, what it is, and which figures answer first."""

from __future__ import annotations

import pandas as pd

from avion_core.methods import METHODS, find_method
from avion_core.methods.bench import Model
from avion_core.metrics.retrieval import RECALLS
from avion_core.protocols.report import OVERALL, Report

_WAYS = {"i2t": "image to text", "t2i": "text to image"}


def row_title(method: str, model: Model) -> str:
    """ "AVION", "Student, class mean"; the name itself of a method that this version does not know."""
    return find_method(method).row_title(model) if method in METHODS else method


def figure_title(report: Report, method: str, model: Model, part: str, metric: str) -> str:
    """The title of a row and, where a protocol has several parts, which figure it is: "AVION, harmonic mean"."""
    named = [row_title(method, model)]
    if part != OVERALL and len(report.parts) > 1:
        named.append(part.replace("_", " "))
    if part == OVERALL or report.by_captions:
        named.append(figure_name(metric))
    return ", ".join(named)


def figure_name(metric: str) -> str:
    """A figure for people: "harmonic mean", "mR", "image to text R@5"."""
    way, _, k = metric.partition("_r")
    if way in _WAYS:
        return f"{_WAYS[way]} R@{k}"
    return "mR" if metric == "mr" else metric.replace("_", " ")


def recall_table(report: Report, part: str) -> pd.DataFrame:
    """Recalls of every method on images with captions, the run's own first.

    Columns: title, mR, low and high (of mR), R@1, R@5 and R@10 both ways, all in percent, and n (images).
    """
    rows: list[dict[str, object]] = []
    for method, model in _methods(report):
        if (first := report.figure(part, "mr", method, model)) is not None:
            row = {"title": row_title(method, model), "mR": first["value"], "low": first["low"], "high": first["high"]}
            row |= {figure_name(name): report.value(part, name, method, model) for name in RECALLS}
            rows.append(row | {"n": first["n"]})
    return pd.DataFrame(rows)


def headline_rows(report: Report) -> pd.DataFrame:
    """Every method's figures that answer first, the run's own rows first.

    Columns: title, value, low, high, interval, n, seconds, parameters, what, method, model, part, metric.
    """
    listed = []
    for method, model in _methods(report):
        for part, metric in report.headline():
            figure = report.figure(part, metric, method, model)
            if figure is not None:
                what = find_method(method).what if method in METHODS else ""
                listed.append({**figure, "title": figure_title(report, method, model, part, metric), "what": what})
    first = ["title", "value", "low", "high", "interval", "n", "seconds", "parameters", "what"]
    return pd.DataFrame(listed)[[*first, "method", "model", "part", "metric"]]


def _methods(report: Report) -> list[tuple[str, Model]]:
    """(method, model) of each row that was measured, the run's own first."""
    known = report.figures.drop_duplicates(["method", "model"])[["method", "model"]].itertuples(index=False, name=None)
    return sorted(known, key=lambda row: row != (report.method, report.model))

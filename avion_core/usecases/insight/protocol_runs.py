"""A project's runs together: a figure over shots, and a protocol's figures over seeds (docs/method.md section 7)."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from avion_core.config import RunConfig
from avion_core.methods import METHODS, find_method
from avion_core.methods.bench import Model
from avion_core.protocols import find_protocol
from avion_core.protocols.report import OVERALL, Report
from avion_core.store.home import Home
from avion_core.usecases.insight.evaluation import kept_report
from avion_core.usecases.insight.rows import figure_title, row_title
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import read_splits
from avion_core.usecases.runs.views import RunView, get_run, list_runs

SHOTS = (1, 2, 4, 8, 16)
_Row = tuple[str, Model]

POINTS = ("title", "shots", "seed", "run_id", "value", "low", "high", "n")
"""Columns of `OverShots.points`."""

CURVE = ("title", "shots", "mean", "deviation", "seeds")
"""Columns of `OverShots.curve`."""


@dataclass(frozen=True)
class OverShots:
    """The first figure of a protocol over shots, from runs that differ in shots and seed alone."""

    points: pd.DataFrame
    """A row per figure that was measured: title, shots, seed, run_id, value, low, high, n."""
    curve: pd.DataFrame
    """Columns title, shots, mean, deviation (over seeds, n - 1; NaN for a single one), seeds. The run's own rows
    first."""
    missing: list[tuple[int, int]]
    """(shots, seed) that no finished run has."""
    unmeasured: list[str]
    """Finished runs without a report of this split."""


@dataclass(frozen=True)
class OverSeeds:
    """A protocol's figures over seeds, from runs that differ in the seed alone."""

    rows: pd.DataFrame
    """Columns seed, run_id and a column per figure ("AVION, base"), of the run itself and of zero-shot; NaN where it
    was not measured."""
    mean: dict[str, float]
    """The figures' means over seeds; a summary such as the harmonic mean is that of the means, as the literature has
    it."""
    missing: list[int]
    """Seeds that no finished run has."""
    unmeasured: list[str]
    """Finished runs without a report of this split."""


@use_case
def over_shots(home: Home, run: str, split: str = "validation") -> OverShots:
    """The curve that a run belongs to.

    Of the same shots and seed the newest run counts. On validation a run's own accuracy is known from training;
    everything else, and the test set, counts where a run was measured. Reading the figures is no look.
    """
    chosen = get_run(home, run)
    own = find_method(chosen.config.method).row_title(chosen.config.options.get("model", "student"))
    siblings = {(sibling.config.data.shots, sibling.config.data.seed): sibling for sibling in _siblings(home, chosen)}
    points, unmeasured = [], []
    for (shots, seed), sibling in siblings.items():
        where = {"shots": shots, "seed": seed, "run_id": sibling.id}
        report = kept_report(home, sibling.id, split)
        if report is None:
            unmeasured.append(sibling.id)
            if split == "validation" and sibling.accuracy is not None:
                points.append({"title": own, **where, "value": sibling.accuracy})
            continue
        for title, figure in _drawn(report):
            points.append({"title": title, **where, **{name: figure[name] for name in ("value", "low", "high", "n")}})
    table = pd.DataFrame(points, columns=list(POINTS))
    by_shots = table.groupby(["title", "shots"], sort=False)["value"]
    curve = by_shots.agg(mean="mean", deviation="std", seeds="count").reset_index()
    curve = curve.sort_values("shots", kind="stable").sort_values("title", key=lambda t: t != own, kind="stable")
    splits = read_splits(home, chosen.project_id)
    wanted = [(shots, seed) for shots in SHOTS if shots <= splits.max_shots for seed in sorted(splits.train)]
    missing = [pair for pair in wanted if pair not in siblings]
    return OverShots(table, curve.reset_index(drop=True)[list(CURVE)], missing, unmeasured)


@use_case
def over_seeds(home: Home, run: str, split: str = "validation") -> OverSeeds:
    """The table that a run belongs to. Of the same seed the newest run counts."""
    chosen = get_run(home, run)
    protocol = find_protocol(chosen.config.protocol.name)
    siblings = {
        sibling.config.data.seed: sibling
        for sibling in _siblings(home, chosen)
        if sibling.config.data.shots == chosen.config.data.shots
    }
    reports = {seed: kept_report(home, sibling.id, split) for seed, sibling in sorted(siblings.items())}
    measured = [report for report in reports.values() if report is not None]
    rows: list[dict[str, object]] = []
    for seed, report in reports.items():
        figures = {} if report is None else {title: value for title, _, _, value in _titled(report)}
        rows.append({"seed": seed, "run_id": siblings[seed].id, **figures})
    table = pd.DataFrame(rows)
    mean: dict[str, float] = {}
    if measured:
        titles = [(title, part, row) for title, part, row, _ in _titled(measured[0])]
        mean = {title: float(table[title].mean()) for title, part, _ in titles if part != OVERALL}
        for row in dict.fromkeys(row for _, _, row in titles):
            of_parts = {part: mean[title] for title, part, own in titles if own == row and part != OVERALL}
            if len(of_parts) == len(measured[0].parts):
                for metric, value in protocol.summary(of_parts).items():
                    mean[figure_title(measured[0], *row, OVERALL, metric)] = value
        mean = {title: mean[title] for title, _, _ in titles}
    seeds = sorted(read_splits(home, chosen.project_id).train)
    unmeasured = [siblings[seed].id for seed, report in reports.items() if report is None]
    return OverSeeds(table, mean, [seed for seed in seeds if seed not in siblings], unmeasured)


def _drawn(report: Report) -> list[tuple[str, dict]]:
    """Title and figure of each line of the curve: the run itself, and the methods that are drawn beside it."""
    part, metric = report.headline()[0]
    beside: list[_Row] = [(name, model) for name in METHODS for model in find_method(name).drawn]
    own: _Row = (report.method, report.model)  # pyright: ignore[reportAssignmentType]
    figures = ((row, report.figure(part, metric, *row)) for row in dict.fromkeys([own, *beside]))
    return [(row_title(*row), figure) for row, figure in figures if figure is not None]


def _titled(report: Report) -> list[tuple[str, str, _Row, float]]:
    """Title, part, row and value of the first figures of the run itself and of the untrained student."""
    rows: list[_Row] = [(report.method, report.model), ("zero_shot", "student")]  # pyright: ignore[reportAssignmentType]
    return [
        (figure_title(report, *row, part, metric), part, row, value)
        for row in dict.fromkeys(rows)
        for part, metric in report.headline()
        if (value := report.value(part, metric, *row)) is not None
    ]


def _siblings(home: Home, run: RunView) -> list[RunView]:
    """Finished runs of the same project and settings but for shots, seed and device; the oldest first."""
    found = [other for other in list_runs(home, run.project_id) if other.state == "finished"]
    return [other for other in reversed(found) if _but_for_shots(other.config) == _but_for_shots(run.config)]


def _but_for_shots(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"data": None, "device": None})

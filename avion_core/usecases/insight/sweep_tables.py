"""What a sweep found, as one long table: figures over seeds, cost, and the paper's numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from avion_core.errors import ConfigError
from avion_core.protocols import result_tables
from avion_core.protocols.over_seeds import over_seeds, published_beside
from avion_core.protocols.published import published_figures
from avion_core.protocols.report import Report
from avion_core.protocols.result_tables import COLUMNS
from avion_core.store.home import Home
from avion_core.usecases.insight.evaluation import kept_report
from avion_core.usecases.insight.measuring import start_evaluation
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.sweeps import Cell, Sweep, sweep_cells


@use_case
def measure_sweep(home: Home, sweep: Sweep) -> list[str]:
    """Have the finished runs of a sweep measured that have no report of its split, by a job for each project.

    On the sealed test set it is a look at each run.

    Raises:
        RightsError: the actor may not open the sealed set.
    """
    by_project: dict[str, list[str]] = {}
    for cell in sweep_cells(home, sweep):
        if cell.run is not None and cell.run.state == "finished":
            by_project.setdefault(cell.project_id, []).append(cell.run.id)
    started = [
        start_evaluation(home, list(dict.fromkeys(runs)), sweep.split, wait=True) for runs in by_project.values()
    ]
    return [job for job in started if job is not None]


@use_case
def sweep_table(home: Home, sweep: Sweep) -> pd.DataFrame:
    """One row for each figure of each row, project, protocol and number of shots (see `result_tables.COLUMNS`).

    Only runs with a report count; `seeds` says how many. Reading the figures is no look.
    """
    groups: dict[tuple[str, str, int, str], list[Cell]] = {}
    for cell in sweep_cells(home, sweep):
        groups.setdefault((cell.project, cell.protocol, cell.config.data.shots, cell.title), []).append(cell)
    reports = {key: _reports(home, cells, sweep.split) for key, cells in groups.items()}
    rows: list[dict[str, Any]] = []
    for key, cells in groups.items():
        project, protocol, shots, title = key
        measured = reports[key]
        where = {"project": project, "protocol": protocol, "shots": shots, "row": title}
        against = reports.get((project, protocol, shots, sweep.against), []) if title != sweep.against else []
        for part, metric in measured[0].headline() if measured else []:
            rows.append(where | _figures(home, cells, measured, against, part, metric))
    return pd.DataFrame(rows, columns=list(COLUMNS))


@use_case
def sweep_document(home: Home, sweep: Sweep, form: str = "markdown") -> str:
    """The table in a form of `result_tables.FORMATS`.

    Raises:
        ConfigError: another form.
    """
    written = {"markdown": result_tables.as_markdown, "csv": result_tables.as_csv, "latex": result_tables.as_latex}
    if form not in written:
        raise ConfigError("there is no such form", f"Choose one of: {', '.join(written)}.", value=form)
    return written[form](sweep_table(home, sweep))


def _reports(home: Home, cells: Sequence[Cell], split: str) -> list[Report]:
    found = [kept_report(home, cell.run.id, split) for cell in cells if cell.run and cell.run.state == "finished"]
    return [report for report in found if report is not None]


def _figures(
    home: Home, cells: Sequence[Cell], measured: Sequence[Report], against: Sequence[Report], part: str, metric: str
) -> dict[str, Any]:
    runs = [cell.run for cell in cells if cell.run is not None and cell.run.state == "finished"]
    seconds = [float(run.summary.get("training_seconds") or 0.0) for run in runs]
    project = get_project(home, cells[0].project_id)
    known = published_figures(cells[0].config, [entry.key for entry in project.classes], project.images)
    figures = over_seeds(measured, part, metric, against=against, seconds=seconds)
    return figures | published_beside(known, measured[0], part, metric)

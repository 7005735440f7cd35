"""Sweeps: a grid of runs in one YAML file, queued as runs like any others, skipping what is done (docs/sweeps.md).

A sweep has no state of its own. Its runs are found by their settings: whoever made a run, it counts, and the same file
given again queues what is missing and resumes what was stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avion_core.config import RunConfig
from avion_core.errors import ConfigError
from avion_core.methods import find_method
from avion_core.reading import Subject, read_yaml
from avion_core.store import jobs as job_rows
from avion_core.store.home import Home
from avion_core.usecases import jobs
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.planning import by_project_ids, planned_config
from avion_core.usecases.runs.preflight import refuse_unready
from avion_core.usecases.runs.training import queue_again
from avion_core.usecases.runs.views import RunView, list_runs

MOST_RUNS = 2_000
_FILE = Subject("the sweep file", ConfigError, "See docs/sweeps.md for its form.", most_bytes=2**18)

Names = Annotated[list[str], Field(min_length=1)]
Numbers = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


class Row(BaseModel):
    """A row of the tables: one method with its settings."""

    model_config = ConfigDict(extra="forbid")

    method: str = "avion"
    preset: str = "recommended"
    settings: dict[str, Any] = {}
    """Dotted keys."""


class Sweep(BaseModel):
    """A grid: every row with every project, protocol, number of shots and seed."""

    model_config = ConfigDict(extra="forbid")

    projects: Names
    rows: Annotated[dict[str, Row], Field(min_length=1)]
    """Title -> row, in the tables' order."""
    protocols: Names = ["few-shot"]
    shots: Numbers = [16]
    seeds: Numbers = [1, 2, 3]
    settings: dict[str, Any] = {}
    """Dotted keys of all rows; a row's own win."""
    split: Literal["validation", "test"] = "validation"
    against: str = ""
    """The title of the row that the others are compared with; "" for none."""


@dataclass(frozen=True)
class Cell:
    """One run that the grid asks for."""

    title: str
    project: str
    project_id: str
    protocol: str
    preset: str
    overrides: dict[str, Any]
    config: RunConfig
    run: RunView | None
    """The newest with its settings, a finished one before others; None where there is none."""

    @property
    def state(self) -> str:
        return self.run.state if self.run else "missing"


@use_case
def read_sweep(home: Home, file: Path) -> Sweep:
    """Read a grid and check all that can be told without a project.

    Raises:
        RightsError: a path that is not theirs to name.
        ConfigError: no YAML, an unknown key, a value out of its range, or too many runs; the key is named.
    """
    file = nameable(home.actor, file)
    try:
        sweep = Sweep.model_validate(read_yaml(file, _FILE))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise _FILE.refused(f"cannot be used: {where}: {first['msg']}", value=str(file)) from None
    if sweep.against and sweep.against not in sweep.rows:
        raise _FILE.refused("compares with a row that it lacks", "Name one of its rows.", value=sweep.against)
    count = len(sweep.projects) * len(sweep.rows) * len(sweep.protocols) * len(sweep.shots) * len(sweep.seeds)
    if count > MOST_RUNS:
        raise _FILE.refused(f"asks for more than {MOST_RUNS:,} runs", "Divide it.", value=f"{count:,} runs")
    for row in sweep.rows.values():
        find_method(row.method)
    return sweep


@use_case
def sweep_cells(home: Home, sweep: Sweep) -> list[Cell]:
    """Every run that the grid asks for, in the tables' order, with the newest run of the same settings.

    Raises:
        NotFoundError: no such project.
        ConfigError: settings that cannot be used.
    """
    return list(_cells(home, sweep))


@use_case
def launch_grid(home: Home, sweep: Sweep) -> list[Cell]:
    """Queue what is missing of a grid and resume what was stopped, failed or lost; returns the cells as they are then.

    All is checked before the first run is queued. (See `training.create_run` for errors.)
    """
    cells = list(_cells(home, sweep))
    missing = [cell for cell in cells if cell.run is None]
    for cell in missing:
        refuse_unready(home, cell.project_id, cell.config)
    again = [cell.run.id for cell in cells if cell.run is not None and cell.run.state in job_rows.RESUMABLE]
    fresh = [create_run(home, cell.project_id, cell.preset, cell.overrides, _name(cell)) for cell in missing]
    jobs.enqueue(home, *[queue_again(home, run) for run in again], *fresh)
    return list(_cells(home, sweep))


def _cells(home: Home, sweep: Sweep) -> Iterator[Cell]:
    for name in sweep.projects:
        project = get_project(home, name)
        known: dict[str, RunView] = {}
        for run in reversed(list_runs(home, project.id)):  # the newest stays
            if (key := _key(run.config)) not in known or run.state == "finished" or known[key].state != "finished":
                known[key] = run
        for protocol, (title, row), shots, seed in product(
            sweep.protocols, sweep.rows.items(), sweep.shots, sweep.seeds
        ):
            overrides = {**sweep.settings, **row.settings, "method": row.method}
            overrides |= {"protocol.name": protocol, "data.shots": shots, "data.seed": seed}
            config = planned_config(home, project.id, row.preset, overrides)
            run = known.get(_key(by_project_ids(home, config)))
            yield Cell(title, project.name, project.id, protocol, row.preset, overrides, config, run)


def _key(config: RunConfig) -> str:
    """What makes two runs the same: all settings but where they compute and how often they save."""
    settings = config.model_copy(update={"device": "auto"}).model_dump(mode="json")
    for name in ("precision", "checkpoint_seconds", "validate_every"):
        settings["distillation"].pop(name)
    return str(settings)


def _name(cell: Cell) -> str:
    return f"{cell.title}, {cell.config.data.shots}-shot, seed {cell.config.data.seed}"

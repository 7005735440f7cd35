"""Runs as pages and commands show them: how each stands, its curves and its log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: F401  # the types of JobView's fields are looked up here, where RunView stands
from functools import lru_cache
from pathlib import Path
from typing import Any

from avion_core.config import RunConfig
from avion_core.data.project import ProjectData, held_out_images
from avion_core.data.sources import NoPictures
from avion_core.errors import AvionError, ConfigError
from avion_core.jobs.curves import Curves, read_curves, seconds_since_step
from avion_core.jobs.reconcile import reconcile
from avion_core.presets import parse_config
from avion_core.protocols import find_protocol
from avion_core.store import runs
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.listing import looks_of
from avion_core.store.projects import find_project, list_projects
from avion_core.store.tables import Run
from avion_core.usecases import jobs
from avion_core.usecases.jobs import JobView
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.planning import Origin, origin_of

DRAWN_STEPS = 1500
"""Points of a curve on the screen; more could not be told apart."""


@dataclass(frozen=True)
class RunView(JobView):
    """A run as pages and commands show it: a job, and what its training came to."""

    project: str
    """The project's name."""
    project_id: str  # pyright: ignore[reportIncompatibleVariableOverride]  # a run always has one
    name: str
    step: int
    steps: int
    epoch: int
    accuracy: float | None
    """On the validation images, in percent."""
    step_age: float | None
    """Seconds since the newest step was written; None when no process works on it, or before the first."""
    preparation_seconds: float | None
    seconds_per_step: float | None
    peak_bytes: int | None
    summary: dict[str, Any]
    looks: int
    """How often test figures were asked for."""
    based_on: str | None
    """The run whose settings this one began from."""
    origin: Origin | None
    """Where its settings came from; None where that was not recorded."""
    rule_version: int
    config: RunConfig


@use_case
def list_runs(home: Home, project: str | None = None) -> list[RunView]:
    """All runs, or one project's, the newest first; those whose process is gone are marked so by the way."""
    reconcile(home)
    with reading(home.engine) as session:
        project_id = None if project is None else find_project(session, project).id
        names = {row.id: row.name for row in list_projects(session)}
        looks = looks_of(session)
        return [
            run_view(home, row, names[row.project_id], looks[row.id]) for row in runs.list_runs(session, project_id)
        ]


@use_case
def get_run(home: Home, run: str) -> RunView:
    """One run by its id, the beginning of its id, or "latest".

    Raises:
        NotFoundError: no run, or several, go by that name.
    """
    reconcile(home)
    with reading(home.engine) as session:
        row = runs.find_run(session, run)
        return run_view(home, row, find_project(session, row.project_id).name, runs.count_looks(session, row.id))


@use_case
def curves(home: Home, run: str, most: int | None = None) -> Curves:
    """A run's measured steps: loss, its parts, scale, warmup, validation_accuracy (see `StepReport`).

    Args:
        most: thin them to about this many for display; `Curves.statement` then says so.
    """
    return read_curves(get_run(home, run).folder, most)


@use_case
def right_on_validation(home: Home, run: RunView) -> tuple[int, int] | None:
    """How many of how many validation images a run's accuracy stands for; None before the first validation, or where
    its inputs are gone."""
    if run.accuracy is None:
        return None
    try:
        images = _validation_images(run.folder / "inputs", run.config.model_dump_json())
    except AvionError:
        return None
    return (round(run.accuracy * images / 100), images) if images else None


@lru_cache(maxsize=256)
def _validation_images(inputs: Path, settings: str) -> int:
    """Of the classes that a run trains on. Its inputs are frozen."""
    project, config = ProjectData.load(inputs, NoPictures({})), RunConfig.model_validate_json(settings)
    classes = find_protocol(config.protocol.name).trained_classes(project.class_names, config)
    return len(held_out_images(project, config, classes, "validation").image_ids)


@use_case
def computed_with(home: Home, run: str) -> list[str]:
    """What a run was computed with so far, in words, resume by resume; empty where it is not known.

    Raises:
        DataError: the record of it is damaged.
    """
    from avion_core.distill.arithmetic import stretches  # imports torch: seconds

    return [
        f"{f'after step {one.after_step:,}: ' if one.after_step else ''}{one.arithmetic or 'not recorded'}"
        for one in stretches(get_run(home, run).folder)
    ]


@use_case
def run_view(home: Home, row: Run, project_name: str, looks: int) -> RunView:
    """A run's row, with what can be told of its process."""
    job = jobs.job_view(home, row.job)
    config, unreadable = _settings_of(row)
    told = vars(job) | {
        "project_id": row.project_id,
        "eta_seconds": job.eta_seconds if job.stage == "training" else None,
        "cause": job.cause or ("config" if unreadable else None),
        "error": job.error or unreadable,
    }
    return RunView(
        **told,
        project=project_name,
        name=row.name,
        step=row.step,
        steps=row.steps,
        epoch=row.epoch,
        accuracy=row.accuracy,
        step_age=seconds_since_step(job.folder) if job.state == "running" else None,
        preparation_seconds=row.preparation_seconds,
        seconds_per_step=row.seconds_per_step,
        peak_bytes=row.peak_bytes,
        summary=row.summary or {},
        looks=looks,
        based_on=row.based_on,
        origin=origin_of(row),
        rule_version=row.rule_version,
        config=config,
    )


def _settings_of(row: Run) -> tuple[RunConfig, str | None]:
    """A run's settings; where they cannot be read, the defaults and why: one run takes no list down."""
    try:
        return parse_config(row.config), None
    except ConfigError as error:
        return RunConfig(), str(error)

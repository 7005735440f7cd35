"""Training: queue and launch, watch, stop, kill, resume."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.config import RunConfig, parse_config
from avion_core.errors import TrainingError
from avion_core.jobs import local, run_files, worker
from avion_core.jobs.process import ProcessId
from avion_core.store import projects as rows
from avion_core.store import runs
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Run, new_id, now
from avion_core.store.verdicts import rules_in_force
from avion_core.studio.preflight import refuse_unready
from avion_core.studio.rules import run_config
from avion_core.studio.snapshot import project_data


@dataclass(frozen=True)
class RunView:
    """A run as pages and commands show it."""

    id: str
    project: str
    """The project's name."""
    project_id: str
    name: str
    state: str
    """queued, running, stopped, finished, failed or lost."""
    stage: str
    step: int
    steps: int
    epoch: int
    accuracy: float | None
    """On the validation images, in percent."""
    device: str | None
    heartbeat_age: float | None
    """Seconds since the process was heard from; None when none works on it."""
    eta_seconds: float | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cause: str | None
    error: str | None
    summary: dict[str, Any]
    looks: int
    """How often test figures were asked for."""
    config: RunConfig
    folder: Path


def create_run(
    home: Home, project: str, preset: str = "recommended", overrides: dict[str, Any] | None = None, name: str = ""
) -> str:
    """Queue a run: freeze its settings and inputs in a folder of its own, and write its row. Returns its id.

    Raises:
        NotFoundError: no such project.
        ConfigError: settings that cannot be used.
        TrainingError: something that `preflight` finds keeps it from starting.
    """
    config = run_config(home, project, preset, overrides)
    refuse_unready(home, project, config)
    run_id = new_id()
    folder = home.run_folder(run_id)
    project_data(home, project).save(folder / "inputs")
    with writing(home.engine) as session:
        row = rows.find_project(session, project)
        session.add(
            Run(
                id=run_id,
                project_id=row.id,
                name=name or f"{preset}, {config.data.shots} shots, seed {config.data.seed}",
                config=config.model_dump(mode="json"),
                rule_version=rules_in_force(session, row.id),
            )
        )
    return run_id


def launch(home: Home, project: str, preset: str = "recommended", overrides: dict[str, Any] | None = None) -> str:
    """Queue a run and start it in a process of its own; returns its id. (See `create_run` for errors.)"""
    run_id = create_run(home, project, preset, overrides)
    local.start(home, run_id)
    return run_id


def run_here(home: Home, run_id: str, stop: threading.Event, listener: worker.Listener | None = None) -> RunView:
    """Train a queued run in this process until it ends, or until `stop` is set and its state is saved.

    Raises:
        TrainingError: another process has the run.
        AvionError: the training failed.
    """
    worker.work(home, run_id, stop, listener)
    return get_run(home, run_id)


def stop(home: Home, run: str) -> None:
    """Ask a run to save its state and stop; it does so within a step and a second.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has ended already.
    """
    view = get_run(home, run)
    with writing(home.engine) as session:
        asked = runs.request_stop(session, view.id)
    if not asked:
        raise TrainingError("the run has ended already", "Resume it, or start a new one.", value=view.state)


def kill(home: Home, run: str) -> None:
    """End a run's process at once; what it did since its last checkpoint is lost.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has no process, or on another machine.
    """
    view = get_run(home, run)
    if not local.kill(home, view.id):
        raise TrainingError("the run has no process to kill", "Resume it, or start a new one.", value=view.state)


def resume(home: Home, run: str) -> str:
    """Take up a stopped, failed or lost run in a process of its own; returns its id. (See `queue_again` for errors.)"""
    run_id = queue_again(home, run)
    local.start(home, run_id)
    return run_id


def queue_again(home: Home, run: str) -> str:
    """Let a stopped, failed or lost run wait for a process again; returns its id.

    Raises:
        NotFoundError: no such run.
        TrainingError: it is finished, or somebody else is at it.
    """
    view = get_run(home, run)
    with writing(home.engine) as session:
        before = runs.find_run(session, view.id)
        old = before.host, before.pid, before.process_started
        won = runs.queue_again(session, view.id)
        state = before.state
    if not won:
        what = "the run is finished" if state == "finished" else "the run is being worked on already"
        way_out = "Start a new one." if state == "finished" else "Wait for it, or stop it first."
        raise TrainingError(what, way_out, value=view.id)
    if old[0] is not None and old[1] is not None and old[2] is not None:
        # A process that counted as lost may only have been asleep: two of them must not write into one folder.
        local.end_process(ProcessId(old[0], old[1], old[2]))
    return view.id


def list_runs(home: Home, project: str | None = None) -> list[RunView]:
    """All runs, or one project's, the newest first; those whose process is gone are marked lost by the way."""
    local.refresh(home.engine)
    with reading(home.engine) as session:
        project_id = None if project is None else rows.find_project(session, project).id
        names = {row.id: row.name for row in rows.list_projects(session)}
        return [
            _view(home, row, names[row.project_id], runs.count_looks(session, row.id))
            for row in runs.list_runs(session, project_id)
        ]


def get_run(home: Home, run: str) -> RunView:
    """One run by its id, the beginning of its id, or "latest".

    Raises:
        NotFoundError: no run, or several, go by that name.
    """
    local.refresh(home.engine)
    with reading(home.engine) as session:
        row = runs.find_run(session, run)
        return _view(home, row, rows.find_project(session, row.project_id).name, runs.count_looks(session, row.id))


def curves(home: Home, run: str) -> pd.DataFrame:
    """One row per measured step: step, epoch, loss parts, validation_accuracy (NaN where it was not measured)."""
    return run_files.read_curves(get_run(home, run).folder)


def log_tail(home: Home, run: str, lines: int = 50) -> list[str]:
    """The last lines of a run's log."""
    return run_files.log_tail(get_run(home, run).folder, lines)


def _view(home: Home, row: Run, project_name: str, looks: int) -> RunView:
    at_work = row.state in ("queued", "running")
    return RunView(
        id=row.id,
        project=project_name,
        project_id=row.project_id,
        name=row.name,
        state=row.state,
        stage=row.stage,
        step=row.step,
        steps=row.steps,
        epoch=row.epoch,
        accuracy=row.accuracy,
        device=row.device,
        heartbeat_age=runs.silent_since(row).total_seconds() if at_work and row.heartbeat_at else None,
        eta_seconds=_seconds_until(row.expected_end) if row.state == "running" else None,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cause=row.cause,
        error=row.error,
        summary=row.summary or {},
        looks=looks,
        config=parse_config(row.config),
        folder=home.run_folder(row.id),
    )


def _seconds_until(moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (moment - now()).total_seconds())

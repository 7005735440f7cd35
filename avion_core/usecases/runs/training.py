"""Training: queue and launch, watch, stop, kill, resume."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from avion_core.config import RunConfig
from avion_core.data.project import save_inputs
from avion_core.errors import ConfigError, EditedMeanwhileError, TrainingError
from avion_core.jobs import executors, queue, worker
from avion_core.jobs.curves import Curves, read_curves, seconds_since_step
from avion_core.jobs.devices import LANES, lane_of
from avion_core.jobs.job import Listener
from avion_core.jobs.process import this_process
from avion_core.jobs.reconcile import reconcile
from avion_core.jobs.submit import submit
from avion_core.presets import parse_config
from avion_core.store import jobs as job_rows
from avion_core.store import journal, runs
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.listing import looks_of
from avion_core.store.projects import find_project, list_projects
from avion_core.store.tables import Job, Run, new_id
from avion_core.store.verdicts import rules_in_force
from avion_core.usecases import jobs
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.label_budget import within_budget
from avion_core.usecases.runs.planning import Origin, origin_of, plan_run, planned_config
from avion_core.usecases.runs.preflight import refuse_unready

DRAWN_STEPS = 1500
"""Points of a curve on the screen; more could not be told apart."""


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
    waiting: bool
    """Queued, and no process was started for it yet: it waits for its turn."""
    stopping: bool
    """Running, and asked to save and stop."""
    stage: str
    step: int
    steps: int
    epoch: int
    accuracy: float | None
    """On the validation images, in percent."""
    device: str | None
    host: str | None
    pid: int | None
    alive: bool | None
    """Whether the run's own process is there; None where no process is expected, or it is on another machine."""
    heartbeat_age: float | None
    """Seconds since the process was heard from; None when none works on it."""
    step_age: float | None
    """Seconds since the newest step was written; None when no process works on it, or before the first."""
    eta_seconds: float | None
    preparation_seconds: float | None
    seconds_per_step: float | None
    peak_bytes: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cause: str | None
    error: str | None
    summary: dict[str, Any]
    looks: int
    """How often test figures were asked for."""
    based_on: str | None
    """The run whose settings this one began from."""
    origin: Origin | None
    """Where its settings came from; None where that was not recorded."""
    rule_version: int
    config: RunConfig
    folder: Path


@use_case
def create_run(
    home: Home,
    project: str,
    preset: str = "recommended",
    overrides: dict[str, Any] | None = None,
    name: str = "",
    *,
    based_on: str | None = None,
    here: bool = False,
) -> str:
    """Queue a run: freeze its settings and inputs in a folder of its own, and write its row. Returns its id.

    Args:
        based_on: take the settings of this run in the preset's place.
        here: this very process is about to train it (`run_here`), so the queue leaves it alone.

    Raises:
        NotFoundError: no such project.
        ConfigError: settings that cannot be used.
        TrainingError: something that `preflight` finds keeps it from starting.
        JobError: the chosen executor cannot be used as it is set up.
    """
    who = home.actor.name
    plan = plan_run(home, project, preset, overrides, based_on)
    config = plan.config
    refuse_unready(home, project, config)
    # By their ids: a project may get another name.
    ids = tuple(get_project(home, other).id for other in config.protocol.projects)
    config = config.model_copy(update={"protocol": config.protocol.model_copy(update={"projects": ids})})
    run_id = new_id()
    folder = home.run_folder(run_id)
    others = [freeze(home, other) for other in config.protocol.projects]
    data = freeze(home, project)
    table, labels = within_budget(home, project, config, data.descriptions, data.splits, data.class_names)
    save_inputs(folder / "inputs", replace(data, descriptions=table), others)
    place = executors.plan(config.device, here=here)
    with writing(home.engine) as session:
        row = find_project(session, project)
        base = None if based_on is None else runs.find_run(session, based_on)
        process = {**asdict(this_process()), "submission": "here"} if here else {}
        run = Run(
            job=Job(
                id=run_id,
                kind="training",
                project_id=row.id,
                who=who,
                **asdict(place),
                **process,
            ),
            id=run_id,
            project_id=row.id,
            name=name.strip() or plan.name,
            config=config.model_dump(mode="json"),
            rule_version=rules_in_force(session, row.id),
            based_on=None if base is None else base.id,
            origin=plan.origin.model_copy(update={"labels": labels}).model_dump(mode="json"),
        )
        session.add(run)
        _note(session, run, "New training", who)
    return run_id


@use_case
def launch(
    home: Home,
    project: str,
    preset: str = "recommended",
    overrides: dict[str, Any] | None = None,
    name: str = "",
    *,
    based_on: str | None = None,
    wait: bool = False,
) -> str:
    """Queue a run and start it in a process of its own; returns its id. (See `create_run` for errors.)

    Args:
        wait: start it when the runs before it on its device are done, not at once.
    """
    run_id = create_run(home, project, preset, overrides, name, based_on=based_on)
    if wait:
        jobs.enqueue(home, run_id)
    else:
        submit(home, run_id)
    return run_id


@use_case
def launch_sweep(
    home: Home,
    project: str,
    preset: str = "recommended",
    overrides: dict[str, Any] | None = None,
    *,
    shots: Sequence[int],
    seeds: Sequence[int],
    based_on: str | None = None,
) -> list[str]:
    """Queue a run for each number of shots and each seed, and have them trained in turn; returns their ids.

    All are checked before the first is queued. (See `create_run` for errors.)
    """
    each = [
        {**(overrides or {}), "data.shots": shot, "data.seed": seed}
        for shot, seed in product(sorted(set(shots)), sorted(set(seeds)))
    ]
    for changed in each:
        refuse_unready(home, project, planned_config(home, project, preset, changed, based_on))
    ids = [create_run(home, project, preset, changed, based_on=based_on) for changed in each]
    jobs.enqueue(home, *ids)
    return ids


@use_case
def run_here(home: Home, run_id: str, stop: threading.Event, listener: Listener | None = None) -> RunView:
    """Train a queued run in this process until it ends, or until `stop` is set and its state is saved.

    Raises:
        JobError: another process has the run.
        AvionError: the training failed.
    """
    worker.work(home, run_id, stop, listener)
    return get_run(home, run_id)


@use_case
def start_now(home: Home, run: str) -> None:
    """Start a waiting run at once, beside whatever computes on its device.

    Raises:
        NotFoundError: no such run.
        TrainingError: it does not wait.
    """
    view = get_run(home, run)
    if not view.waiting:
        raise TrainingError("the run is not queued", "Resume it, or start a new one.", value=view.state)
    submit(home, view.id)


@use_case
def stop(home: Home, run: str) -> None:
    """Ask a run to save its state and stop; it does so within a step and a second. One that waits leaves the queue.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has ended already.
    """
    view = get_run(home, run)
    with writing(home.engine) as session:
        asked = job_rows.ask_to_stop(session, view.id)
        if asked:
            _note(session, runs.find_run(session, view.id), "Asked to stop", home.actor.name)
    if not asked:
        raise TrainingError("the run has already ended", "Resume it, or start a new one.", value=view.state)


@use_case
def kill(home: Home, run: str) -> None:
    """End a run's process at once; what it did since its last checkpoint is lost.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has no process. JobError: it has one on another machine.
    """
    view = get_run(home, run)
    if not jobs.kill(home, view.id):
        raise TrainingError(
            "the run has no process that could be killed", "Resume it, or start a new one.", value=view.state
        )
    with writing(home.engine) as session:
        _note(session, runs.find_run(session, view.id), "Killed", home.actor.name)


@use_case
def resume(home: Home, run: str) -> str:
    """Take up a stopped, failed or lost run in a process of its own; returns its id. (See `queue_again` for errors.)

    While something else computes on its device it waits for its turn.
    """
    run_id = queue_again(home, run)
    jobs.start_or_wait(home, run_id)
    return run_id


@use_case
def queue_again(home: Home, run: str, *, here: bool = False) -> str:
    """Let a stopped, failed or lost run wait for a process again; returns its id.

    Args:
        here: this very process is about to train it (`run_here`), so the queue leaves it alone.

    Raises:
        NotFoundError: no such run.
        TrainingError: it is finished, or somebody else is at it.
    """
    view = get_run(home, run)

    def note(session: Session) -> None:
        _note(session, runs.find_run(session, view.id), "Resumed", home.actor.name)

    if not jobs.queue_again(home, view.id, here=here, also=note):
        finished = get_run(home, view.id).state == "finished"
        what = "the run is finished" if finished else "the run is already running"
        hint = "Start a new one." if finished else "Wait for it, or stop it first."
        raise TrainingError(what, hint, value=view.id)
    return view.id


@use_case
def rename_run(home: Home, run: str, name: str, *, opened: str | None = None) -> None:
    """Give a run another name.

    Args:
        opened: the name that it had when somebody began to rename it.

    Raises:
        NotFoundError: no such run.
        TrainingError: no name.
        EditedMeanwhileError: somebody else has renamed it since.
    """
    if not name.strip():
        raise TrainingError("a run needs a name", "Type a name.", value=name)
    view = get_run(home, run)
    with writing(home.engine) as session:
        row = runs.find_run(session, view.id)
        if opened is not None and row.name not in (opened, name.strip()):
            hint = "Save your name or keep theirs."
            both = {"yours": {"name": name.strip()}, "now": {"name": row.name}}
            raise EditedMeanwhileError("the run was renamed meanwhile", hint, **both, value=row.name)
        row.name = name.strip()


@use_case
def pin_baseline(home: Home, project: str, run: str | None) -> None:
    """Make a run the one that others are compared with; None takes the pin off.

    Raises:
        NotFoundError: no such project or run.
        TrainingError: the run belongs to another project.
    """
    view = None if run is None else get_run(home, run)
    with writing(home.engine) as session:
        row = find_project(session, project)
        if view is not None and view.project_id != row.id:
            raise TrainingError("the run belongs to another project", f"Choose one of {row.name}.", value=view.id)
        if row.baseline_run == (view.id if view else None):
            return
        row.baseline_run = view.id if view else None
        said = f"Pinned {view.name} ({view.id}) as the baseline." if view else "Unpinned the baseline."
        journal.note(session, row.id, "training", said, home.actor.name)


@use_case
def wake_queue(home: Home) -> None:
    """See to it that somebody works on the queue, after the machine or the queue's process went down."""
    queue.ensure_served(home)


@use_case
def sleeping_queue(home: Home, views: Sequence[RunView]) -> list[RunView]:
    """Those of these runs that wait and that nobody on this machine will start."""
    waiting = [run for run in views if run.waiting]
    asked = {lane_of(run.device) for run in waiting}
    asleep = {lane for lane in LANES if lane in asked and not queue.is_served(home, lane)}
    return [run for run in waiting if lane_of(run.device) in asleep]


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
def log_tail(home: Home, run: str, lines: int = 50) -> list[str]:
    """The last lines of a run's log."""
    return jobs.log_tail(home, get_run(home, run).id, lines)


def _note(session: Session, run: Run, action: str, who: str, more: str = "") -> None:
    journal.note(session, run.project_id, "training", f"{action}: {run.name} ({run.id}){more}.", who)


@use_case
def run_view(home: Home, row: Run, project_name: str, looks: int) -> RunView:
    """A run's row, with what can be told of its process."""
    job = jobs.job_view(home, row.job)
    config, unreadable = _settings_of(row)
    counted = f"{job.stage}: {job.what}, {job.done:,} of {job.total:,}"
    return RunView(
        id=row.id,
        project=project_name,
        project_id=row.project_id,
        name=row.name,
        state=job.state,
        waiting=job.waiting,
        stopping=job.stopping,
        stage=counted if job.what and job.stage != "training" else job.stage,
        step=row.step,
        steps=row.steps,
        epoch=row.epoch,
        accuracy=row.accuracy,
        device=job.device,
        host=job.host,
        pid=job.pid,
        alive=job.alive,
        heartbeat_age=job.heartbeat_age,
        step_age=seconds_since_step(job.folder) if job.state == "running" else None,
        eta_seconds=job.eta_seconds if job.stage == "training" else None,
        preparation_seconds=row.preparation_seconds,
        seconds_per_step=row.seconds_per_step,
        peak_bytes=row.peak_bytes,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        cause=job.cause or ("config" if unreadable else None),
        error=job.error or unreadable,
        summary=row.summary or {},
        looks=looks,
        based_on=row.based_on,
        origin=origin_of(row),
        rule_version=row.rule_version,
        config=config,
        folder=job.folder,
    )


def _settings_of(row: Run) -> tuple[RunConfig, str | None]:
    """A run's settings; where they cannot be read, the defaults and why: one run takes no list down."""
    try:
        return parse_config(row.config), None
    except ConfigError as error:
        return RunConfig(), str(error)

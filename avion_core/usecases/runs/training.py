"""Trainings that are queued: start, watch over the queue, stop, kill, resume."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sqlalchemy.orm import Session

from avion_core.errors import TrainingError
from avion_core.jobs import queue, worker
from avion_core.jobs.devices import LANES, lane_of
from avion_core.jobs.job import Listener
from avion_core.store import jobs as job_rows
from avion_core.store import journal, runs
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.tables import Run
from avion_core.usecases import jobs
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.views import RunView, get_run


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


def _note(session: Session, run: Run, action: str, who: str) -> None:
    journal.note(session, run.project_id, "training", f"{action}: {run.name} ({run.id}).", who)

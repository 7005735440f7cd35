"""Jobs of every kind: how they stand, and stopping, killing and resuming them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from avion_core.errors import ConfigError, JobError
from avion_core.jobs import queue
from avion_core.jobs.devices import LANES
from avion_core.jobs.executors import chosen_executor, find_executor, local
from avion_core.jobs.kinds import KINDS, job_folder
from avion_core.jobs.log import log_tail as read_log
from avion_core.jobs.process import this_process
from avion_core.jobs.reconcile import is_waiting, reconcile, silence, standing
from avion_core.jobs.submit import refuse_second, submit
from avion_core.progress import BYTES
from avion_core.store import jobs
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Job, now
from avion_core.usecases.policies import use_case
from avion_core.wording import size

MOST_LISTED = 1000
"""Rows on one page of a list."""


@dataclass(frozen=True)
class JobView:
    """A job as pages and commands show it."""

    id: str
    kind: str
    project_id: str | None
    who: str
    """Who asked for it."""
    request: dict[str, Any]
    state: str
    """queued, running, stopped, finished, failed or lost."""
    waiting: bool
    """Queued, and no process was started for it yet: it waits for its turn."""
    stopping: bool
    """Running, and asked to save and stop."""
    stage: str
    what: str
    """What it counts at present, in words."""
    done: int
    total: int
    """0 where it is not known."""
    eta_seconds: float | None
    """Until all is counted; None before there is a pace."""
    seconds: float | None
    """Since it began; None before."""
    executor: str
    device: str | None
    host: str | None
    pid: int | None
    alive: bool | None
    """Whether the job's own process is there; None where none is expected, or that cannot be told from here."""
    heartbeat_age: float | None
    """Seconds since the process was heard from; None when none works on it."""
    attempt: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cause: str | None
    error: str | None
    result: dict[str, Any]
    folder: Path

    @property
    def status(self) -> str:
        """For people, a little finer than the state: a name of `store.listing.STATUSES`."""
        if self.state == "queued":
            return "waiting" if self.waiting else "starting"
        return "stopping" if self.stopping else self.state

    @property
    def doing(self) -> str:
        """What it is, as a person reads it while it goes on."""
        return (KINDS[self.kind].doing if self.kind in KINDS else "") or self.kind

    @property
    def counts(self) -> str:
        """How far it is: "3 of 1,200", "100 MB of 605 MB"; "" where that is not known."""
        if not self.total:
            return ""
        done, total = (size(n) if self.what == BYTES else f"{n:,}" for n in (self.done, self.total))
        return f"{done} of {total}"

    @property
    def active(self) -> bool:
        """Whether it is still to end."""
        return self.state in jobs.ACTIVE


Row = TypeVar("Row", bound=JobView)


@dataclass(frozen=True)
class JobPage(Generic[Row]):
    """One page of a list of jobs, or of runs, the newest first."""

    rows: list[Row]
    found: int
    """How many there are on all pages."""
    page: int
    pages: int
    statuses: dict[str, int]
    """How many of each status there are in the project (or in all), whatever was asked for: for a filter to offer."""
    kinds: dict[str, int]
    """How many of each kind, likewise."""
    places: dict[str, int]
    """Id of a job that waits -> its place in the line of its lane."""


@use_case
def job_view(home: Home, row: Job) -> JobView:
    """A job's row, with what can be told of its process."""
    running = row.state == "running"
    at_work = row.state in jobs.ACTIVE and not is_waiting(row)
    return JobView(
        id=row.id,
        kind=row.kind,
        project_id=row.project_id,
        who=row.who,
        request=row.request,
        state=row.state,
        waiting=is_waiting(row),
        stopping=running and row.stop_asked,
        stage=row.stage,
        what=row.what,
        done=row.done,
        total=row.total,
        eta_seconds=_seconds_until(row.expected_end) if running else None,
        seconds=max(0.0, (now() - row.started_at).total_seconds()) if running and row.started_at else None,
        executor=row.executor,
        device=row.device,
        host=row.host,
        pid=row.pid,
        alive=standing(home, row).alive if at_work else None,
        heartbeat_age=silence(row) if at_work and row.heartbeat_at else None,
        attempt=row.attempt,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cause=row.cause,
        error=row.error,
        result=row.result or {},
        folder=job_folder(home, row),
    )


@use_case
def get_job(home: Home, job: str) -> JobView:
    """One job by its id, the beginning of its id, or "latest".

    Raises:
        NotFoundError: no job, or several, go by that name.
    """
    reconcile(home)
    with reading(home.engine) as session:
        row = jobs.find_job(session, job)
    return job_view(home, row)


@use_case
def active_jobs(home: Home) -> list[JobView]:
    """The jobs that are running or waiting, whoever asked for them, the oldest first."""
    return [job_view(home, row) for row in reversed(reconcile(home))]


@use_case
def log_tail(home: Home, job: str, lines: int = 50) -> list[str]:
    """The last lines of a job's log, or, where it has none, what its executor has of its process."""
    with reading(home.engine) as session:
        row = jobs.find_job(session, job)
    return read_log(job_folder(home, row), lines) or find_executor(row.executor).logs(home, row, lines)


@use_case
def kill(home: Home, job_id: str) -> bool:
    """End a job's process at once, without saving; False when it has none.

    Raises:
        JobError: that cannot be done from here.
    """
    with reading(home.engine) as session:
        job = jobs.find_job(session, job_id)
    if job.state not in jobs.ACTIVE or is_waiting(job):
        return False
    _end_process(home, job)
    hint = KINDS[job.kind].lost_hint if job.kind in KINDS else ""
    with writing(home.engine) as session:
        why = f"Killed by a person. {hint}"
        return jobs.end_unheard(session, jobs.find_job(session, job.id), "stopped", cause="killed", error=why)


@use_case
def forget(home: Home, job_id: str) -> None:
    """End a job's process, if it has one, and take its row and its folder away.

    Raises:
        JobError: its process cannot be ended from here.
    """
    kill(home, job_id)
    with writing(home.engine) as session:
        job = jobs.find_job(session, job_id)
        folder = job_folder(home, job)
        session.delete(job)
    shutil.rmtree(folder, ignore_errors=True)


@use_case
def queue_again(home: Home, job_id: str, *, here: bool = False, also: Callable[[Session], None] | None = None) -> bool:
    """Let a job that ended before its time wait for a process again; False when it is not there to be resumed.

    It goes to the executor that is chosen now: a cluster that is gone keeps nothing to itself.

    Args:
        here: this very process is about to do it, so the queue leaves it alone.
        also: what else is to be written in the same transaction.

    Raises:
        JobError: another job works on the same (`JobKind.alone`).
    """
    me = this_process()
    with writing(home.engine) as session:
        before = jobs.find_job(session, job_id)  # as it was: an UPDATE does not change what was read
        if before.kind in KINDS and before.state in jobs.RESUMABLE:
            refuse_second(session, KINDS[before.kind], before.request, besides=before.id)
        executor = "local" if here or before.lane not in LANES else chosen_executor()
        if not jobs.queue_again(session, before.id, executor):
            return False
        if also is not None:
            also(session)
        if here:
            jobs.note_process(session, before.id, before.attempt + 1, "here", **asdict(me))
    if before.submission is not None and local.process_of(before) != me:
        # A process that counted as lost may only have been asleep: two of them must not write into one folder.
        with suppress(JobError):
            _end_process(home, before)
    return True


@use_case
def start_or_wait(home: Home, job_id: str) -> None:
    """Start a queued job, or let it wait for its turn where something computes in its lane."""
    with reading(home.engine) as session:
        job = jobs.find_job(session, job_id)
    if job.executor != "local" or job.lane not in LANES or not queue.is_busy(home, job.lane, besides=job.id):
        submit(home, job.id)
    else:
        queue.ensure_served(home)


@use_case
def enqueue(home: Home, *job_ids: str) -> None:
    """Let queued jobs wait for their turn: in the queue of this machine, or in that of their cluster."""
    with reading(home.engine) as session:
        found = [jobs.find_job(session, job_id) for job_id in job_ids]
    for job in found:
        if job.executor != "local":
            submit(home, job.id)
    queue.ensure_served(home)


def _end_process(home: Home, job: Job) -> None:
    process = local.process_of(job)
    if process is not None and process.host == this_process().host:
        local.end_process(process)
    else:
        find_executor(job.executor).stop(home, job)


def _seconds_until(moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, (moment - now()).total_seconds())


def check_page(limit: int, page: int) -> None:
    """Refuse a page that cannot be.

    Raises:
        ConfigError: page or limit is out of range.
    """
    if not 1 <= limit <= MOST_LISTED:
        raise ConfigError("a page cannot have so many rows", f"Choose a limit from 1 to {MOST_LISTED:,}.", value=limit)
    if page < 1:
        raise ConfigError("there is no such page", "Pages are counted from 1.", value=page)

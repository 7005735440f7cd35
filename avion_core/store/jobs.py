"""Jobs: work that one process at a time holds, moved between states by atomic updates.

    queued -> running -> finished
      |  ^       |-----> stopped --.
      |  |       |-----> failed  --|
      |  |       '-----> lost    --|      lost -> running: the same process is heard from again
      |  '-------------------------'      stopped, failed, lost -> queued: resumed, as a new attempt
      '-> stopped: before any process took it      queued -> failed: its process ended before it took the job

Whoever wants to move a job names the states it may come from in the WHERE of one UPDATE, so of two at once only one
succeeds. A process holds a job by the attempt it took; each attempt is taken once, and a job that is at a later attempt
is no longer its to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.orm import Session

from avion_core.errors import NotFoundError
from avion_core.store.tables import Job, Table, now

ACTIVE = ("queued", "running")
RESUMABLE = ("stopped", "failed", "lost")
ENDED = ("finished", *RESUMABLE)

_NOBODY: dict[str, Any] = {
    **dict.fromkeys(("submission", "host", "boot", "pid", "process_started", "beat_clock", "heartbeat_at")),
    "stop_asked": False,
    "beats": 0,
}
"""Columns of a job that no process holds."""


def find_job(session: Session, wanted: str) -> Job:
    """A job by its id, the beginning of its id, or "latest".

    Raises:
        NotFoundError: no job, or several, go by that name.
    """
    if wanted == "latest":
        newest = session.scalars(select(Job).order_by(Job.created_at.desc(), Job.id).limit(1)).first()
        if newest is None:
            raise NotFoundError("there is no job yet", "Start a training, a map or an evaluation first.")
        return newest
    found = session.scalars(select(Job).where(Job.id.startswith(wanted, autoescape=True)).limit(2)).all()
    if not wanted or not found:
        raise NotFoundError("there is no such job", "Name a job's id, its beginning, or latest.", value=wanted)
    if len(found) > 1:
        raise NotFoundError("several jobs begin like this", "Give more characters of the id.", value=wanted)
    return found[0]


def list_jobs(
    session: Session,
    *,
    kinds: Sequence[str] = (),
    states: Sequence[str] = (),
    project_id: str | None = None,
    most: int | None = None,
    after: int = 0,
) -> list[Job]:
    """Jobs, the newest first.

    Args:
        kinds, states: only these; empty means all.
        most, after: at most so many, after so many newer ones.
    """
    query = select(Job).order_by(Job.created_at.desc(), Job.id)
    if kinds:
        query = query.where(Job.kind.in_(kinds))
    if states:
        query = query.where(Job.state.in_(states))
    if project_id is not None:
        query = query.where(Job.project_id == project_id)
    return list(session.scalars(query.limit(most).offset(after or None)))


def queue_again(session: Session, key: str, executor: str = "local") -> bool:
    """A stopped, failed or lost job waits for a process again. Of two who ask at once, one gets True."""
    resumed = update(Job).where(Job.id == key, Job.state.in_(RESUMABLE))
    ended = dict.fromkeys(("ended_at", "cause", "error", "expected_end"))
    return moved(session, resumed, state="queued", executor=executor, attempt=Job.attempt + 1, **_NOBODY, **ended)


def note_process(
    session: Session, key: str, attempt: int, submission: str, *, host: str, boot: str, pid: int, process_started: float
) -> None:
    """Write down which process was started for a queued job: one that dies is noticed."""
    mine = update(Job).where(Job.id == key, Job.state == "queued", Job.attempt == attempt)
    process = {"host": host, "boot": boot, "pid": pid, "process_started": process_started}
    moved(session, mine, submission=submission, heartbeat_at=now(), **process)


def note_submission(session: Session, key: str, attempt: int, submission: str) -> None:
    """Write down under which name an executor of other machines has a queued job."""
    mine = update(Job).where(Job.id == key, Job.state == "queued", Job.attempt == attempt)
    moved(session, mine, submission=submission, heartbeat_at=now())


def take(
    session: Session, key: str, attempt: int | None = None, *, host: str, boot: str, pid: int, process_started: float
) -> int | None:
    """Take a queued job for this process.

    Args:
        attempt: the one that this process was started for; None takes whichever is queued.

    Returns:
        The attempt, by which the process holds the job from now on; or None when another process has it, it was
        stopped before it began, or it was queued again since.
    """
    queued = update(Job).where(Job.id == key, Job.state == "queued")
    if attempt is not None:
        queued = queued.where(Job.attempt == attempt)
    moment = now()
    taken = moved(
        session,
        queued,
        state="running",
        submission=func.coalesce(Job.submission, "here"),
        host=host,
        boot=boot,
        pid=pid,
        process_started=process_started,
        started_at=func.coalesce(Job.started_at, moment),
        heartbeat_at=moment,
        beats=0,
    )
    return session.scalar(select(Job.attempt).where(Job.id == key)) if taken else None


def beat(
    session: Session,
    key: str,
    attempt: int,
    clock: float,
    news: dict[str, Any],
    row: type[Table] | None = None,
    figures: dict[str, Any] | None = None,
) -> bool:
    """Renew the heartbeat and write how far the job is.

    Args:
        clock: the machine's own clock now.
        news: columns of the job. figures: columns of `row`, the kind's own table.

    Returns:
        Whether to go on: False when somebody asked for a stop, or the job is no longer this process's.
    """
    alive = {"state": "running", "ended_at": None, "cause": None, "error": None, "heartbeat_at": now()}
    if not moved(session, _held(key, attempt), **alive, beats=Job.beats + 1, beat_clock=clock, **news):
        return False
    if row is not None and figures:
        own = row.__table__
        session.execute(update(row).where(own.c.id == key).values(**figures), execution_options=_PLAIN)
    return not session.scalar(select(Job.stop_asked).where(Job.id == key))


def end(session: Session, key: str, attempt: int, state: str, **last: Any) -> bool:
    """Give the job back with its final state; False when it was not held any more."""
    return moved(session, _held(key, attempt), state=state, stop_asked=False, ended_at=now(), **last)


def ask_to_stop(session: Session, key: str) -> bool:
    """Ask for a stop: a queued job stops here and now, a running one when its process hears of it.

    Returns:
        False when it had ended already.
    """
    if moved(session, update(Job).where(Job.id == key, Job.state == "queued"), state="stopped", ended_at=now()):
        return True
    return moved(session, update(Job).where(Job.id == key, Job.state == "running"), stop_asked=True)


def end_unheard(session: Session, job: Job, state: str, *, cause: str, error: str) -> bool:
    """End a job whose process can no longer say so itself, unless the row has moved on since `job` was read."""
    as_read = update(Job).where(
        Job.id == job.id, Job.state == job.state, Job.attempt == job.attempt, Job.beats == job.beats
    )
    return moved(session, as_read, state=state, cause=cause, error=error, ended_at=now())


def moved(session: Session, where: Update, **values: Any) -> bool:
    """Whether the update found its row."""
    result = session.execute(where.values(**values), execution_options=_PLAIN)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


_PLAIN = {"synchronize_session": False}


def _held(key: str, attempt: int) -> Update:
    return update(Job).where(Job.id == key, Job.attempt == attempt, Job.state.in_(("running", "lost")))

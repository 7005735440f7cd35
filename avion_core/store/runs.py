"""Runs: one row each, moved between states by atomic updates.

    queued -> running -> finished
      |  ^       |-----> stopped --.
      |  |       |-----> failed  --|
      |  |       '-----> lost    --|      lost -> running: the same process is heard from again
      |  '-------------------------'      stopped, failed, lost -> queued: resumed
      '-> stopped: before any process took it      queued -> failed: its process ended before it took the run

Whoever wants to move a run names the states it may come from in the WHERE of one UPDATE, so of two at once only
one succeeds. A process holds a run by its lease, drawn when it takes it; a row whose lease has changed hands is
no longer its to write.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Update, delete, func, select, update
from sqlalchemy.orm import Session

from avion_core.errors import NotFoundError
from avion_core.store.tables import Look, Run, new_id, now

RESUMABLE = ("stopped", "failed", "lost")
ENDED = ("finished", "stopped", "failed", "lost")


def find_run(session: Session, wanted: str) -> Run:
    """A run by its id, the beginning of its id, or "latest".

    Raises:
        NotFoundError: no run, or several, go by that name.
    """
    if wanted == "latest":
        newest = session.scalars(select(Run).order_by(Run.created_at.desc(), Run.id).limit(1)).first()
        if newest is None:
            raise NotFoundError("there is no run yet", "Start one with `avion train PROJECT`.")
        return newest
    found = session.scalars(select(Run).where(Run.id.startswith(wanted, autoescape=True)).limit(2)).all()
    if not wanted or not found:
        raise NotFoundError("there is no such run", "Name a run's id, its beginning, or latest.", value=wanted)
    if len(found) > 1:
        raise NotFoundError("several runs begin like this", "Give more characters of the id.", value=wanted)
    return found[0]


def list_runs(session: Session, project_id: str | None = None) -> list[Run]:
    """All runs, or one project's; the newest first."""
    query = select(Run).order_by(Run.created_at.desc(), Run.id)
    return list(session.scalars(query if project_id is None else query.where(Run.project_id == project_id)))


def queue_again(session: Session, run_id: str) -> bool:
    """A stopped, failed or lost run waits for a process again. Of two who ask at once, one gets True."""
    return _moved(
        session,
        update(Run).where(Run.id == run_id, Run.state.in_(RESUMABLE)),
        state="queued",
        stop_requested=False,
        lease=None,
        host=None,
        pid=None,
        process_started=None,
        heartbeat_at=None,
        ended_at=None,
        cause=None,
        error=None,
    )


def note_process(session: Session, run_id: str, *, host: str, pid: int, process_started: float) -> None:
    """Write down which process was started for a queued run: it waits no longer, and one that dies is noticed."""
    still_queued = update(Run).where(Run.id == run_id, Run.state == "queued")
    _moved(session, still_queued, host=host, pid=pid, process_started=process_started, heartbeat_at=now())


def lease_run(session: Session, run_id: str, *, host: str, pid: int, process_started: float) -> str | None:
    """Take a queued run for this process.

    Returns:
        The lease, or None when another process has the run or it was stopped before it began.
    """
    lease = new_id()
    moment = now()
    taken = _moved(
        session,
        update(Run).where(Run.id == run_id, Run.state == "queued"),
        state="running",
        lease=lease,
        host=host,
        pid=pid,
        process_started=process_started,
        started_at=func.coalesce(Run.started_at, moment),
        heartbeat_at=moment,
    )
    return lease if taken else None


def beat(session: Session, run_id: str, lease: str, progress: dict[str, Any]) -> bool:
    """Renew the heartbeat and write how far the run is.

    Returns:
        Whether to go on: False when somebody asked for a stop, or the run is no longer this process's.
    """
    mine = update(Run).where(Run.id == run_id, Run.lease == lease, Run.state.in_(("running", "lost")))
    if not _moved(
        session, mine, state="running", ended_at=None, cause=None, error=None, heartbeat_at=now(), **progress
    ):
        return False
    return not session.scalar(select(Run.stop_requested).where(Run.id == run_id))


def end_run(session: Session, run_id: str, lease: str, state: str, **last: Any) -> bool:
    """Give the lease back with the run's final state; False when it was not held any more."""
    mine = update(Run).where(Run.id == run_id, Run.lease == lease, Run.state.in_(("running", "lost")))
    return _moved(session, mine, state=state, lease=None, stop_requested=False, ended_at=now(), **last)


def request_stop(session: Session, run_id: str) -> bool:
    """Ask for a stop: a queued run stops here and now, a running one when its process hears of it.

    Returns:
        False when the run had ended already.
    """
    queued = update(Run).where(Run.id == run_id, Run.state == "queued")
    if _moved(session, queued, state="stopped", ended_at=now()):
        return True
    running = update(Run).where(Run.id == run_id, Run.state == "running")
    return _moved(session, running, stop_requested=True)


def end_unheard(session: Session, run: Run, state: str, *, cause: str, error: str) -> bool:
    """End a run whose process can no longer say so itself, unless the row has moved on since `run` was read."""
    as_read = update(Run).where(
        Run.id == run.id,
        Run.state == run.state,
        Run.lease.is_not_distinct_from(run.lease),
        Run.heartbeat_at.is_not_distinct_from(run.heartbeat_at),
    )
    return _moved(session, as_read, state=state, cause=cause, error=error, ended_at=now())


def silent_since(run: Run) -> timedelta:
    """How long a queued or running run has not been heard from."""
    last: datetime = run.heartbeat_at or run.created_at
    return now() - last


def delete_run(session: Session, run_id: str) -> bool:
    """Take an ended run's row away, its looks at the test set with it; False when it is queued or running."""
    session.execute(delete(Look).where(Look.run_id == run_id, Look.run_id.in_(select(Run.id).where(_ended()))))
    result = session.execute(
        delete(Run).where(Run.id == run_id, _ended()), execution_options={"synchronize_session": False}
    )
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def count_looks(session: Session, run_id: str) -> int:
    """How often figures of the sealed test set were asked for."""
    return session.scalar(select(func.count()).select_from(Look).where(Look.run_id == run_id)) or 0


def _ended() -> ColumnElement[bool]:
    return Run.state.in_(ENDED)


def _moved(session: Session, where: Update, **values: Any) -> bool:
    result = session.execute(where.values(**values), execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1

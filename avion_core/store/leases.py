"""Work that one process at a time holds, moved between states by atomic updates.

    queued -> running -> finished
      |  ^       |-----> stopped --.
      |  |       |-----> failed  --|
      |  |       '-----> lost    --|      lost -> running: the same process is heard from again
      |  '-------------------------'      stopped, failed, lost -> queued: resumed
      '-> stopped: before any process took it      queued -> failed: its process ended before it took the work

Whoever wants to move a piece of work names the states it may come from in the WHERE of one UPDATE, so of two at once
only one succeeds. A process holds it by its lease, drawn when it takes it; a row whose lease has changed hands is no
longer its to write.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.orm import Session

from avion_core.store.tables import Generation, Run, new_id, now

RESUMABLE = ("stopped", "failed", "lost")
ENDED = ("finished", "stopped", "failed", "lost")

Work = type[Run] | type[Generation]


def queue_again(session: Session, table: Work, key: str) -> bool:
    """Stopped, failed or lost work waits for a process again. Of two who ask at once, one gets True."""
    return moved(
        session,
        update(table).where(table.id == key, table.state.in_(RESUMABLE)),
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


def note_process(session: Session, table: Work, key: str, *, host: str, pid: int, process_started: float) -> None:
    """Write down which process was started for queued work: it waits no longer, and one that dies is noticed."""
    still_queued = update(table).where(table.id == key, table.state == "queued")
    moved(session, still_queued, host=host, pid=pid, process_started=process_started, heartbeat_at=now())


def take(session: Session, table: Work, key: str, *, host: str, pid: int, process_started: float) -> str | None:
    """Take queued work for this process.

    Returns:
        The lease, or None when another process has it or it was stopped before it began.
    """
    lease = new_id()
    moment = now()
    taken = moved(
        session,
        update(table).where(table.id == key, table.state == "queued"),
        state="running",
        lease=lease,
        host=host,
        pid=pid,
        process_started=process_started,
        started_at=func.coalesce(table.started_at, moment),
        heartbeat_at=moment,
    )
    return lease if taken else None


def beat(session: Session, table: Work, key: str, lease: str, progress: dict[str, Any]) -> bool:
    """Renew the heartbeat and write how far the work is.

    Returns:
        Whether to go on: False when somebody asked for a stop, or the work is no longer this process's.
    """
    mine = update(table).where(table.id == key, table.lease == lease, table.state.in_(("running", "lost")))
    alive = {"state": "running", "ended_at": None, "cause": None, "error": None, "heartbeat_at": now()}
    if not moved(session, mine, **alive, **progress):
        return False
    return not session.scalar(select(table.stop_requested).where(table.id == key))


def end(session: Session, table: Work, key: str, lease: str, state: str, **last: Any) -> bool:
    """Give the lease back with the final state; False when it was not held any more."""
    mine = update(table).where(table.id == key, table.lease == lease, table.state.in_(("running", "lost")))
    return moved(session, mine, state=state, lease=None, stop_requested=False, ended_at=now(), **last)


def request_stop(session: Session, table: Work, key: str) -> bool:
    """Ask for a stop: queued work stops here and now, running work when its process hears of it.

    Returns:
        False when it had ended already.
    """
    queued = update(table).where(table.id == key, table.state == "queued")
    if moved(session, queued, state="stopped", ended_at=now()):
        return True
    running = update(table).where(table.id == key, table.state == "running")
    return moved(session, running, stop_requested=True)


def end_unheard(session: Session, work: Run | Generation, state: str, *, cause: str, error: str) -> bool:
    """End work whose process can no longer say so itself, unless the row has moved on since `work` was read."""
    table: Work = type(work)
    as_read = update(table).where(
        table.id == work.id,
        table.state == work.state,
        table.lease.is_not_distinct_from(work.lease),
        table.heartbeat_at.is_not_distinct_from(work.heartbeat_at),
    )
    return moved(session, as_read, state=state, cause=cause, error=error, ended_at=now())


def silent_since(work: Run | Generation) -> timedelta:
    """How long queued or running work has not been heard from."""
    last: datetime = work.heartbeat_at or work.created_at
    return now() - last


def moved(session: Session, where: Update, **values: Any) -> bool:
    """Whether the update found its row."""
    result = session.execute(where.values(**values), execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1

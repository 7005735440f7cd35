"""Pages of long lists of jobs and runs, and how many there are of each status: what is not shown is not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from avion_core.store.tables import Job, Look, Run

_QUEUED, _RUNNING = Job.state == "queued", Job.state == "running"
STATUSES: dict[str, ColumnElement[bool]] = {
    "waiting": and_(_QUEUED, Job.submission.is_(None)),
    "starting": and_(_QUEUED, Job.submission.is_not(None)),
    "running": and_(_RUNNING, ~Job.stop_asked),
    "stopping": and_(_RUNNING, Job.stop_asked),
    **{state: Job.state == state for state in ("stopped", "finished", "failed", "lost")},
}
"""A job's status for people, a little finer than its state: whether a process was started for it, or is to stop."""
_NEWEST_FIRST = (Job.created_at.desc(), Job.id)
_OLDEST_FIRST = (Job.created_at, Job.id)


@dataclass(frozen=True)
class Listed:
    """Which jobs: of these kinds and statuses (empty: all), of one project or of all."""

    kinds: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    project_id: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As conditions on rows of `Job`; a status that does not exist has no rows."""
        found: list[ColumnElement[bool]] = []
        if self.kinds:
            found.append(Job.kind.in_(self.kinds))
        if self.statuses:
            found.append(or_(false(), *(STATUSES[status] for status in self.statuses if status in STATUSES)))
        if self.project_id is not None:
            found.append(Job.project_id == self.project_id)
        return found


def count_statuses(session: Session, listed: Listed) -> dict[str, int]:
    """Status -> how many jobs have it, in the order of `STATUSES`; those that none has are left out."""
    status = case(*((condition, name) for name, condition in STATUSES.items())).label("status")
    each = select(status).where(*listed.conditions()).subquery()
    counts = _counts(session, select(each.c.status, func.count()).group_by(each.c.status))
    return {name: counts[name] for name in STATUSES if name in counts}


def count_kinds(session: Session, listed: Listed) -> dict[str, int]:
    """Kind -> how many jobs are of it, by name."""
    query = select(Job.kind, func.count()).where(*listed.conditions()).group_by(Job.kind).order_by(Job.kind)
    return _counts(session, query)


def jobs_page(session: Session, listed: Listed, limit: int, page: int) -> list[Job]:
    """One page of jobs, the newest first; pages are counted from 1."""
    query = select(Job).where(*listed.conditions()).order_by(*_NEWEST_FIRST)
    return list(session.scalars(query.limit(limit).offset((page - 1) * limit)))


def runs_page(session: Session, listed: Listed, limit: int, page: int) -> list[Run]:
    """One page of runs with their jobs, the newest first; pages are counted from 1."""
    query = select(Run).join(Run.job).options(contains_eager(Run.job)).where(*listed.conditions())
    return list(session.scalars(query.order_by(*_NEWEST_FIRST).limit(limit).offset((page - 1) * limit)))


def run_ids(session: Session, listed: Listed) -> list[str]:
    """The ids of runs, the newest first."""
    query = select(Run.id).join(Run.job).where(*listed.conditions()).order_by(*_NEWEST_FIRST)
    return list(session.scalars(query))


def places_in_line(session: Session) -> dict[str, int]:
    """Id of a job that waits -> its place in the line of its lane, counted from 1; of all projects and kinds."""
    query = select(Job.id, Job.lane).where(STATUSES["waiting"]).order_by(*_OLDEST_FIRST)
    ahead: Counter[str] = Counter()
    places: dict[str, int] = {}
    for job, lane in session.execute(query):
        ahead[lane] += 1
        places[job] = ahead[lane]
    return places


def run_words(session: Session, listed: Listed) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What a search looks through: id, name and settings of each run, the newest first."""
    query = select(Run.id, Run.name, Run.config).join(Run.job).where(*listed.conditions()).order_by(*_NEWEST_FIRST)
    yield from session.execute(query)


def looks_of(session: Session, run_ids: Sequence[str] | None = None) -> Counter[str]:
    """Run -> how often figures of the sealed test set were asked for; of all runs, or of these (a page of them)."""
    query = select(Look.run_id, func.count()).group_by(Look.run_id)
    if run_ids is not None:
        query = query.where(Look.run_id.in_(run_ids))
    return Counter(_counts(session, query))


def _counts(session: Session, query: Select[str, int]) -> dict[str, int]:
    return dict(session.execute(query).all())

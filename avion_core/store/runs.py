"""Runs: finding them, and what is left of one that is taken away. How they move between states is in jobs.py."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import CursorResult, Select, delete, func, select
from sqlalchemy.orm import Session, contains_eager

from avion_core.errors import NotFoundError
from avion_core.store.database import chunks
from avion_core.store.jobs import ENDED
from avion_core.store.tables import Job, Look, Run


def find_run(session: Session, wanted: str) -> Run:
    """A run by its id, the beginning of its id, or "latest".

    Raises:
        NotFoundError: no run, or several, go by that name.
    """
    if wanted == "latest":
        newest = session.scalars(_newest_first().limit(1)).first()
        if newest is None:
            raise NotFoundError("there is no run yet", "Start one with `avion train PROJECT`.")
        return newest
    found = session.scalars(select(Run).where(Run.id.startswith(wanted, autoescape=True)).limit(2)).all()
    if not wanted or not found:
        raise NotFoundError("there is no such run", "Name a run's id, its beginning, or latest.", value=wanted)
    if len(found) > 1:
        raise NotFoundError(
            "several runs have ids that begin like this", "Give more characters of the id.", value=wanted
        )
    return found[0]


def list_runs(session: Session, project_id: str | None = None) -> list[Run]:
    """All runs, or one project's; the newest first."""
    query = _newest_first()
    return list(session.scalars(query if project_id is None else query.where(Run.project_id == project_id)))


def find_runs(session: Session, run_ids: Sequence[str]) -> list[Run]:
    """These runs, in their order; those that no longer exist are left out."""
    query = select(Run).join(Run.job).options(contains_eager(Run.job))
    found = {run.id: run for some in chunks(run_ids) for run in session.scalars(query.where(Run.id.in_(some)))}
    return [found[key] for key in run_ids if key in found]


def delete_run(session: Session, run_id: str) -> bool:
    """Take an ended run's row away, with its looks at the test set and its job; False when it is queued or running."""
    ended = select(Job.id).where(Job.id == run_id, Job.state.in_(ENDED))
    session.execute(delete(Look).where(Look.run_id == run_id, Look.run_id.in_(ended)))
    taken = delete(Run).where(Run.id == run_id, Run.id.in_(ended))
    result = session.execute(taken, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        return False
    session.execute(delete(Job).where(Job.id == run_id), execution_options={"synchronize_session": False})
    return True


def count_looks(session: Session, run_id: str) -> int:
    """How often figures of the sealed test set were asked for."""
    return session.scalar(select(func.count()).select_from(Look).where(Look.run_id == run_id)) or 0


def _newest_first() -> Select[Run]:
    return select(Run).join(Run.job).options(contains_eager(Run.job)).order_by(Job.created_at.desc(), Run.id)

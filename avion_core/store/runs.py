"""Runs: finding them, and what is left of one that is taken away. How they move between states is in leases.py."""

from __future__ import annotations

from sqlalchemy import ColumnElement, CursorResult, delete, func, select
from sqlalchemy.orm import Session

from avion_core.errors import NotFoundError
from avion_core.store.leases import ENDED
from avion_core.store.tables import Look, Run


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

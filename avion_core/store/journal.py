"""The journal: what was done to a project, by whom, in one sentence each."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from avion_core.store.tables import JournalEntry

Kind = Literal["project", "data", "classes", "labels", "descriptions", "review", "rules", "training", "team"]


def note(session: Session, project_id: str, kind: Kind, sentence: str, who: str) -> None:
    """Write one sentence down, in the transaction that does what it says."""
    session.add(JournalEntry(project_id=project_id, kind=kind, sentence=sentence, who=who))


def entries(session: Session, project_id: str, limit: int = 200) -> list[JournalEntry]:
    """The newest entries first."""
    query = select(JournalEntry).where(JournalEntry.project_id == project_id)
    return list(session.scalars(query.order_by(JournalEntry.id.desc()).limit(limit)))

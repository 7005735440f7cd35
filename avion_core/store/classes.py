"""Class cards and what was changed about classes, so that the newest change can be undone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from avion_core.errors import NotFoundError
from avion_core.store.database import chunks
from avion_core.store.tables import ClassChange, Description, ProjectClass


def class_cards(session: Session, project_id: str) -> list[ProjectClass]:
    """The cards of the classes in use, by class key."""
    query = select(ProjectClass).where(ProjectClass.project_id == project_id, ProjectClass.retired.is_(False))
    return list(session.scalars(query.order_by(ProjectClass.class_key)))


def class_card(session: Session, project_id: str, class_key: str) -> ProjectClass:
    """One class in use.

    Raises:
        NotFoundError: there is none of this key, or it was merged into another.
    """
    card = session.get(ProjectClass, (project_id, class_key))
    if card is None or card.retired:
        into = successors(session, project_id).get(class_key, "") if card else ""
        hint = f"It was merged into {into}." if into else "Choose one that it has, or add it on the page Classes."
        raise NotFoundError("the project has no such class", hint, value=class_key)
    return card


def successors(session: Session, project_id: str) -> dict[str, str]:
    """Retired class key -> the class in use that has its images now; "" where none has."""
    query = select(ProjectClass.class_key, ProjectClass.retired, ProjectClass.merged_into)
    rows = session.execute(query.where(ProjectClass.project_id == project_id)).all()
    into = {key: merged_into for key, retired, merged_into in rows if retired}
    found: dict[str, str] = {}
    for key in into:
        last, passed = key, set[str]()
        while last in into and last not in passed:  # a damaged row may lead back
            passed.add(last)
            last = into[last]
        found[key] = "" if last in passed else last
    return found


def descriptions_of_class(session: Session, project_id: str, class_key: str) -> list[str]:
    """Description ids of one class."""
    query = select(Description.description_id)
    query = query.where(Description.project_id == project_id, Description.class_key == class_key)
    return list(session.scalars(query.order_by(Description.description_id)))


def move_descriptions(session: Session, project_id: str, description_ids: Sequence[str], class_key: str) -> None:
    """Let descriptions belong to another class; their ids stay, and their verdicts with them."""
    for some in chunks(description_ids):
        chosen = (Description.project_id == project_id, Description.description_id.in_(some))
        session.execute(update(Description).where(*chosen).values(class_key=class_key))


def class_changes(session: Session, project_id: str) -> list[ClassChange]:
    """Renames, merges, splits and additions, the newest first, undone ones too."""
    query = select(ClassChange).where(ClassChange.project_id == project_id)
    return list(session.scalars(query.order_by(ClassChange.id.desc())))


def newest_change(session: Session, project_id: str) -> ClassChange | None:
    """The newest change that still holds: the one that can be undone."""
    query = select(ClassChange).where(ClassChange.project_id == project_id, ClassChange.undone_at.is_(None))
    return session.scalars(query.order_by(ClassChange.id.desc()).limit(1)).first()

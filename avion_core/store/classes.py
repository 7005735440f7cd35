"""Class cards and what was changed about classes, so that the newest change can be undone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from avion_core.errors import NotFoundError
from avion_core.store.database import chunks
from avion_core.store.tables import ClassChange, Description, ProjectClass, Verdict, now

ALIAS = "alias"
"""Kind of the changes that give a class another name, by which imports find it."""


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
    """Renames, merges, splits, additions and other names, the newest first, undone ones too."""
    query = select(ClassChange).where(ClassChange.project_id == project_id)
    return list(session.scalars(query.order_by(ClassChange.id.desc())))


def changes_stamp(session: Session, project_id: str) -> tuple[int, int]:
    """Another pair whenever a change of classes is made or undone: how many hold, and the number of the newest."""
    query = select(func.count(), func.max(ClassChange.id))
    held, newest = session.execute(
        query.where(ClassChange.project_id == project_id, ClassChange.undone_at.is_(None))
    ).one()
    return held, newest or 0


def aliases_in_force(session: Session, project_id: str) -> dict[str, ClassChange]:
    """Other name of a class -> the change that gave it, the newest where a name was given twice."""
    query = select(ClassChange).where(ClassChange.project_id == project_id, ClassChange.kind == ALIAS)
    held = session.scalars(query.where(ClassChange.undone_at.is_(None)).order_by(ClassChange.id))
    return {row.details["alias"]: row for row in held}


def alias_keys(session: Session, project_id: str) -> dict[str, str]:
    """Other name of a class -> its class key."""
    return {alias: change.class_key for alias, change in aliases_in_force(session, project_id).items()}


def remember_alias(
    session: Session, project_id: str, alias: str, class_key: str, description_ids: Sequence[str], who: str
) -> ClassChange | None:
    """Let another name stand for a class, with the descriptions that came in under it; None where it did already."""
    known = aliases_in_force(session, project_id).get(alias)
    if known is not None and known.class_key == class_key:
        known.details = {**known.details, "descriptions": [*known.details["descriptions"], *description_ids]}
        return None
    name = class_card(session, project_id, class_key).prompt_name
    details = {"alias": alias, "after": name, "descriptions": list(description_ids)}
    change = ClassChange(project_id=project_id, kind=ALIAS, class_key=class_key, details=details, who=who)
    session.add(change)
    session.flush()
    return change


def forget_alias(session: Session, project_id: str, change: ClassChange) -> tuple[int, int]:
    """Take another name off its class, and the descriptions that came in under it out, where nobody decided on them.

    Returns:
        How many descriptions went, and how many stay for the decisions on them.
    """
    came = list(change.details["descriptions"])
    decided: set[str] = set()
    for some in chunks(came):
        query = select(Verdict.description_id).where(Verdict.project_id == project_id)
        decided.update(session.scalars(query.where(Verdict.description_id.in_(some))))
    gone = [item for item in came if item not in decided]
    for some in chunks(gone):
        chosen = (Description.project_id == project_id, Description.description_id.in_(some))
        session.execute(delete(Description).where(*chosen))
    change.undone_at = now()
    return len(gone), len(came) - len(gone)


def newest_change(session: Session, project_id: str) -> ClassChange | None:
    """The newest change that still holds: the one that can be undone."""
    query = select(ClassChange).where(ClassChange.project_id == project_id, ClassChange.undone_at.is_(None))
    return session.scalars(query.order_by(ClassChange.id.desc()).limit(1)).first()

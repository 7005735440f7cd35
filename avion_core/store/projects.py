"""Projects, their classes and candidate descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, or_, select
from sqlalchemy.orm import Session

from avion_core.errors import DataError, NotFoundError
from avion_core.reading import is_storable, storable
from avion_core.store.database import chunks
from avion_core.store.tables import Description, Project, ProjectClass, RuleVersion, now

MOST_NAME_CHARACTERS = 200


def find_project(session: Session, name_or_id: str) -> Project:
    """A project by its name or its id.

    Raises:
        NotFoundError: with the names there are.
    """
    by_either = select(Project).where(or_(Project.name == name_or_id, Project.id == name_or_id))
    project = session.scalars(by_either).first()
    if project is None:
        names = session.scalars(select(Project.name).order_by(Project.created_at)).all()
        hint = f"Existing projects: {', '.join(names)}." if names else "Make one with `avion projects create`."
        raise NotFoundError("there is no such project", hint, value=name_or_id)
    return project


def list_projects(session: Session) -> list[Project]:
    """All projects, the oldest first."""
    return list(session.scalars(select(Project).order_by(Project.created_at)))


def refuse_taken_name(session: Session, name: str) -> None:
    """Raise a DataError when a project goes by this name already, or the name is none."""
    if not name.strip():
        raise DataError("a project needs a name", "Type a name.", value=name)
    if len(name) > MOST_NAME_CHARACTERS or not is_storable(name):
        hint = f"Choose a name of at most {MOST_NAME_CHARACTERS} characters."
        raise DataError("this name cannot be a project's", hint, value=storable(name))
    if session.scalar(select(Project.id).where(Project.name == name)) is not None:
        hint = "Choose another name, or open that project."
        raise DataError("a project with this name already exists", hint, value=name)


def add_project(session: Session, project: Project, prompt_names: dict[str, str]) -> None:
    """Write a project and its classes (class key -> prompt name)."""
    refuse_taken_name(session, project.name)
    session.add(project)
    session.flush()
    session.add_all(
        ProjectClass(project_id=project.id, class_key=key, prompt_name=name) for key, name in prompt_names.items()
    )


def prompt_names(session: Session, project_id: str) -> dict[str, str]:
    """Class key -> prompt name of the classes in use, by class key."""
    query = select(ProjectClass.class_key, ProjectClass.prompt_name).order_by(ProjectClass.class_key)
    in_use = query.where(ProjectClass.project_id == project_id, ProjectClass.retired.is_(False))
    return {row.class_key: row.prompt_name for row in session.execute(in_use)}  # plain columns: every page asks


def add_descriptions(session: Session, project_id: str, rows: Iterable[dict[str, Any]]) -> int:
    """Write the descriptions that the project does not hold yet, in the order given; returns how many those were."""
    fresh = {row["description_id"]: row for row in rows}
    for some in chunks(list(fresh)):
        given = Description.description_id.in_(some)
        query = select(Description.description_id).where(Description.project_id == project_id, given)
        for known in session.scalars(query).all():
            del fresh[known]
    if fresh:
        # A moment of its own for each, however fast they come: by it they are listed in this order.
        since = now()
        moments = (since + timedelta(microseconds=place) for place in range(len(fresh)))
        session.execute(
            insert(Description),
            [
                {"project_id": project_id, "created_at": moment, **row}
                for moment, row in zip(moments, fresh.values(), strict=True)
            ],
        )
    return len(fresh)


def descriptions_of(session: Session, project_id: str) -> list[Description]:
    """All candidates of a project, by class, each class in the order of import."""
    query = select(Description).where(Description.project_id == project_id)
    return list(
        session.scalars(query.order_by(Description.class_key, Description.created_at, Description.description_id))
    )


def candidates_of(session: Session, project_id: str, description_id: str | None = None) -> list[tuple[str, ...]]:
    """Id, class key, text, writer, model and parent of each candidate (or of one), by class and in the order of import.

    Plain columns: 50,000 objects would take seconds.
    """
    names = ("description_id", "class_key", "text", "writer", "model", "parent")
    query = select(*(getattr(Description, name) for name in names)).where(Description.project_id == project_id)
    if description_id is not None:
        query = query.where(Description.description_id == description_id)
    query = query.order_by(Description.class_key, Description.created_at, Description.description_id)
    return [tuple(row) for row in session.execute(query)]


def count_descriptions(session: Session, project_id: str) -> int:
    """How many candidates a project holds."""
    query = select(func.count()).select_from(Description).where(Description.project_id == project_id)
    return session.scalar(query) or 0


def newest_rules(session: Session, project_id: str) -> RuleVersion | None:
    """The rules in force, None when nobody saved any."""
    query = select(RuleVersion).where(RuleVersion.project_id == project_id)
    return session.scalars(query.order_by(RuleVersion.number.desc()).limit(1)).first()


def all_rules(session: Session, project_id: str) -> list[RuleVersion]:
    """Every version of the rules that was saved, the oldest first."""
    query = select(RuleVersion).where(RuleVersion.project_id == project_id)
    return list(session.scalars(query.order_by(RuleVersion.number)))


def add_rules(
    session: Session, project_id: str, prototypes: dict[str, Any], descriptions: dict[str, Any], reviewer: str
) -> int:
    """Save rules as the next version; returns its number. The same rules again are no new version."""
    newest = newest_rules(session, project_id)
    if newest is not None and (newest.prototypes, newest.descriptions) == (prototypes, descriptions):
        return newest.number
    number = 1 if newest is None else newest.number + 1
    session.add(
        RuleVersion(
            project_id=project_id, number=number, prototypes=prototypes, descriptions=descriptions, reviewer=reviewer
        )
    )
    return number

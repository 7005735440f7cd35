"""Other names of classes, as files of descriptions write them: said once at an import, known to all later ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from avion_core.errors import NotFoundError
from avion_core.store import classes
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.projects import find_project
from avion_core.usecases.policies import use_case
from avion_core.wording import counted


@dataclass(frozen=True)
class ClassAlias:
    """One other name of a class."""

    alias: str
    class_key: str
    who: str
    created_at: datetime
    descriptions: int
    """How many came in under it."""


@use_case
def class_aliases(home: Home, project: str) -> list[ClassAlias]:
    """The other names that hold, by name; those of a class that was merged are its successor's."""
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
        into = classes.successors(session, project_id)
        held = classes.aliases_in_force(session, project_id)
        return [
            ClassAlias(
                alias,
                into.get(row.class_key) or row.class_key,
                row.who,
                row.created_at,
                len(row.details["descriptions"]),
            )
            for alias, row in sorted(held.items())
        ]


@use_case
def forget_alias(home: Home, project: str, alias: str) -> str:
    """Take another name off its class, with the descriptions that came in under it and that nobody decided on.

    Returns:
        What was done, in a sentence.

    Raises:
        NotFoundError: no class has this other name.
    """
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        held = classes.aliases_in_force(session, project_id)
        if alias not in held:
            known = ", ".join(sorted(held)) or "there is none"
            raise NotFoundError("no class of the project has this other name", f"Known are: {known}.", value=alias)
        change = held[alias]
        gone, stay = classes.forget_alias(session, project_id, change)
        sentence = f"“{alias}” is no name of {change.details['after']} any more; {counted(gone, 'description')} removed"
        sentence += f", {stay:,} stay since people decided on them." if stay else "."
        note(session, project_id, "classes", sentence, home.actor.name)
    return sentence

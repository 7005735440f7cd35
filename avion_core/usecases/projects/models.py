"""Which models a project works with, and what another pair means for what was made already."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from avion_core.errors import ConfigError
from avion_core.presets import make_config
from avion_core.store import journal
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import count_descriptions, find_project
from avion_core.store.tables import Project, Run
from avion_core.usecases.policies import use_case
from avion_core.wording import counted


@use_case
def models_change(home: Home, project: str, teacher: str, student: str) -> list[str]:
    """What becomes out of date with other models, and what stays, a sentence each; empty where nothing changes.

    Raises:
        NotFoundError: no such project, or a name that is not in the catalog.
        ConfigError: a student that takes no prompts.
    """
    _refuse_unfit(home, teacher, student)
    with reading(home.engine) as session:
        return _consequences(home, session, find_project(session, project), teacher, student)


@use_case
def set_models(home: Home, project: str, teacher: str, student: str) -> list[str]:
    """Let a project work with another teacher or student from now on.

    Scores, weights and cuts follow the teacher, and are computed again when they are next looked at. Runs keep the
    models that they were trained with.

    Returns:
        What became out of date, as `models_change` says it.

    Raises:
        NotFoundError: no such project, or a name that is not in the catalog.
        ConfigError: a student that takes no prompts.
    """
    _refuse_unfit(home, teacher, student)
    with writing(home.engine) as session:
        row = find_project(session, project)
        said = _consequences(home, session, row, teacher, student)
        if said:
            row.teacher, row.student = teacher, student
            row.defaults = {**row.defaults, "teacher": teacher, "student": student}
            make_config(base=row.defaults)
            sentence = (
                f"Works with {home.models.find(teacher).title} and {home.models.find(student).title} from now on."
            )
            journal.note(session, row.id, "project", sentence, home.actor.name)
    return said


def _refuse_unfit(home: Home, teacher: str, student: str) -> None:
    home.models.find(teacher)
    if home.models.find(student).kind != "open_clip":
        hint = "Choose a CLIP model, as `avion models list` has them."
        raise ConfigError("this model cannot be a student: it takes no prompts", hint, value=student)


def _consequences(home: Home, session: Session, row: Project, teacher: str, student: str) -> list[str]:
    said = []
    if teacher != row.teacher:
        texts = count_descriptions(session, row.id)
        said.append(
            f"{home.models.find(teacher).title} looks at the images and scores {counted(texts, 'description')} again: "
            "similarity, robust z and weight change, and so may what is cut. Verdicts stay."
        )
    if student != row.student:
        said.append(f"The next training starts from {home.models.find(student).title}.")
    if said and (runs := session.scalar(select(func.count()).select_from(Run).where(Run.project_id == row.id))):
        keep = counted(runs, "run keeps its models, and is", "runs keep their models, and are")
        said.append(f"{keep} listed as out of date in the journal.")
    return said

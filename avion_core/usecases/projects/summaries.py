"""What each project is: its images, classes and splits, the pair of models that works on it, and its damage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from avion_core.backbones.catalog import is_given
from avion_core.data.problems import Problem
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.splits import VALIDATION_IMAGES, KeepTogether, Splits
from avion_core.jobs.causes import explain
from avion_core.reading import Subject, fitted, read_json
from avion_core.store import projects
from avion_core.store.classes import class_cards
from avion_core.store.current_verdicts import count_decisions
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.sources import RESTORE, image_root
from avion_core.store.tables import Project
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.current_images import current_images

_PROBLEMS = Subject("the project's list of problems", hint=RESTORE)
SOUGHT = "near_copies.json"
"""In a project's folder: that near-copies were looked for, and how many sets there are."""
_RECIPE = Subject("the project's rendering recipe", hint="Unpack the project again, or choose its recipe again.")


@dataclass(frozen=True)
class ClassInfo:
    """One class and its card; `count` is its labelled images, the others are the parts of seed 1 at the most shots."""

    key: str
    prompt_name: str
    count: int
    train: int
    validation: int
    test: int
    local_name: str = ""
    code: str = ""
    definition: str = ""
    includes: str = ""
    excludes: str = ""
    parent: str = ""
    colour: str = ""
    """#rrggbb, or empty for the palette's own."""


@dataclass(frozen=True)
class ProjectSummary:
    """A project as pages and commands show it."""

    id: str
    name: str
    image_root: Path
    recipe: RenderingRecipe
    modality: str
    teacher: str
    student: str
    defaults: dict[str, Any]
    images: int
    labelled: int
    classes: list[ClassInfo]
    problems: list[Problem]
    near_copies_sought: bool
    """Whether near-copies were looked for, when it was made or since."""
    notes: tuple[str, ...]
    """Classes with fewer images than a full draw takes, one sentence each."""
    drawn: bool
    """Whether test and validation images have been drawn; until then every label teaches."""
    together: KeepTogether | None
    """What tells the neighbours that its splits keep on one side, beside groups and near-copies."""
    revision: str
    """Another one whenever images, labels, the set of classes or the models change: part of the key of what is made
    from them."""
    descriptions: int
    verdicts: dict[str, int]
    """How many descriptions stand accepted, rejected and edited; an edited one may be accepted or rejected as well."""
    blind: bool
    """Reviewers see the verdicts of others on a description only after their own."""
    baseline_run: str | None
    """The run that others are compared with, pinned by a person."""
    archived: bool = False
    """Put aside: it is in no list of what is worked on."""

    @property
    def pictures(self) -> bool:
        """Whether there are images to look at; not in a project made from embeddings."""
        return not is_given(self.teacher)

    @property
    def judged(self) -> int:
        """How many descriptions stand accepted or rejected, each counted once."""
        return self.verdicts.get("accepted", 0) + self.verdicts.get("rejected", 0)


@dataclass(frozen=True)
class DamagedProject:
    """A project whose rows or files cannot be read, and why."""

    id: str
    name: str
    problem: str


@use_case
def list_projects(home: Home) -> list[ProjectSummary]:
    """All projects that can be read, the oldest first."""
    return read_projects(home)[0]


@use_case
def read_projects(home: Home) -> tuple[list[ProjectSummary], list[DamagedProject]]:
    """All projects, the oldest first, and those that cannot be read: a list names them and goes on."""
    sound: list[ProjectSummary] = []
    damaged: list[DamagedProject] = []
    with reading(home.engine) as session:
        for project in projects.list_projects(session):
            try:
                sound.append(summary_of(home, session, project))
            except DBAPIError:
                raise
            except Exception as error:  # whatever it is, the other projects are sound
                damaged.append(DamagedProject(project.id, project.name, explain(error)[1]))
    return sound, damaged


@use_case
def project_names(home: Home) -> dict[str, str]:
    """Project id -> name of those that are worked on, the oldest first."""
    with reading(home.engine) as session:
        return {row.id: row.name for row in projects.list_projects(session) if row.archived_at is None}


@use_case
def get_project(home: Home, name_or_id: str) -> ProjectSummary:
    """One project by its name or id.

    Raises:
        NotFoundError: with the names there are.
    """
    with reading(home.engine) as session:
        return summary_of(home, session, projects.find_project(session, name_or_id))


@use_case
def read_manifest(home: Home, project_id: str) -> pd.DataFrame:
    """The project's images, one row per content (see `data.scan`), with their labels as they now stand."""
    with reading(home.engine) as session:
        return current_images(home, session, project_id).manifest.copy()


@use_case
def read_splits(home: Home, project_id: str) -> Splits:
    """The project's frozen splits, under the labels and classes as they now stand."""
    with reading(home.engine) as session:
        return current_images(home, session, project_id).splits


@use_case
def read_problems(home: Home, project_id: str) -> list[Problem]:
    """What is to be known of a project's images and classes, by path.

    Raises:
        DataError: the file of them is missing or damaged.
    """
    problems = read_json(home.project_folder(project_id) / "problems.json", _PROBLEMS)
    return fitted(list[Problem], problems, _PROBLEMS)


@use_case
def summary_of(home: Home, session: Session, project: Project) -> ProjectSummary:
    """A project's row with what its files say.

    Raises:
        DataError: a file or a setting of it is damaged.
    """
    now = current_images(home, session, project.id)
    seed, most = min(now.splits.train), now.splits.max_shots
    return ProjectSummary(
        id=project.id,
        name=project.name,
        image_root=image_root(project),
        recipe=fitted(RenderingRecipe, project.recipe, _RECIPE),
        modality=project.modality,
        teacher=project.teacher,
        student=project.student,
        defaults=project.defaults,
        images=len(now.manifest),
        labelled=len(now.manifest) - now.counts[""],
        classes=[
            ClassInfo(
                key=card.class_key,
                prompt_name=card.prompt_name,
                count=now.counts[card.class_key],
                train=min(most, len(now.splits.train[seed][card.class_key])),
                validation=min(VALIDATION_IMAGES, len(now.splits.validation[seed][card.class_key])),
                test=now.tested[card.class_key],
                local_name=card.local_name,
                code=card.code,
                definition=card.definition,
                includes=card.includes,
                excludes=card.excludes,
                parent=card.parent,
                colour=card.colour,
            )
            for card in class_cards(session, project.id)
        ],
        problems=read_problems(home, project.id),
        near_copies_sought=(home.project_folder(project.id) / SOUGHT).is_file(),
        notes=now.splits.notes,
        drawn=now.splits.drawn,
        together=now.splits.together,
        revision=now.revision,
        descriptions=projects.count_descriptions(session, project.id),
        verdicts=dict(count_decisions(session, project.id)),
        blind=project.blind,
        baseline_run=project.baseline_run,
        archived=project.archived_at is not None,
    )

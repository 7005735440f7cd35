"""Projects: a folder of images with its classes, its frozen splits and the pair of models that works on it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from avion_core import bundled
from avion_core.backbones.catalog import find_entry
from avion_core.data.class_names import prompt_names
from avion_core.data.drawing import data_set_key, make_splits
from avion_core.data.layout import FolderOrder, read_layout
from avion_core.data.problems import Problem
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import list_pictures, scan_folder
from avion_core.data.splits import VALIDATION_IMAGES, Splits, undrawn
from avion_core.errors import DataError, NotFoundError
from avion_core.files import write_json, write_table, write_text
from avion_core.jobs.causes import explain
from avion_core.presets import PRESETS, make_config
from avion_core.progress import Progress
from avion_core.reading import Subject, fitted, read_json
from avion_core.store import projects
from avion_core.store.classes import class_cards
from avion_core.store.current_verdicts import count_decisions
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.sources import RESTORE, image_root
from avion_core.store.tables import Project
from avion_core.store.verdicts import add_verdict
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.current_images import current_images
from avion_core.usecases.projects.descriptions import import_descriptions

Demo = Literal["ucmerced", "eurosat"]

_PROBLEMS = Subject("the project's list of problems", hint=RESTORE)
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
    notes: tuple[str, ...]
    """Classes with fewer images than a full draw takes, one sentence each."""
    drawn: bool
    """Whether test and validation images have been drawn; until then every label teaches."""
    revision: str
    """Another one whenever images, labels or the set of classes change: part of the key of what is made from them."""
    descriptions: int
    verdicts: dict[str, int]
    """How many descriptions stand accepted, rejected and edited; an edited one may be accepted or rejected as well."""
    blind: bool
    """Reviewers see the verdicts of others on a description only after their own."""
    baseline_run: str | None
    """The run that others are compared with, pinned by a person."""

    @property
    def judged(self) -> int:
        """How many descriptions stand accepted or rejected, each counted once."""
        return self.verdicts.get("accepted", 0) + self.verdicts.get("rejected", 0)


@use_case
def create_project(
    home: Home,
    name: str,
    image_root: Path,
    *,
    labels: Path | None = None,
    class_folders: bool = True,
    order: FolderOrder | None = None,
    recipe: RenderingRecipe | None = None,
    class_names: dict[str, str] | None = None,
    teacher: str = "georsclip-vit-h-14",
    student: str = "georsclip-vit-b-32",
    defaults: dict[str, Any] | None = None,
    modality: str = "optical",
    progress: Progress | None = None,
) -> ProjectSummary:
    """Read a folder of images, draw its splits once, and keep both.

    A project may begin without labels, or with too few for a draw: they are given in the studio, and then drawn from
    (`studio.labels`).

    Args:
        labels: a table of path, label, group and split instead of class folders, or a caption file (see `data.scan`).
        class_folders: whether the folders in it are classes; if not, all images are unlabelled.
        order: what the folders are, where `data.layout` leaves more than one reading; a given split is then kept.
        recipe: how rasters become pictures; None takes 8-bit grey and RGB files as they are.
        class_names: class key -> prompt name, where the words made from the keys will not do.
        defaults: nested settings that every run of the project starts from (see `config.make_config`).

    Raises:
        DataError: the name is taken, the folder or its labels cannot be used, or it is to be said what its folders are.
        ConfigError: defaults that make no settings.
        NotFoundError: a teacher or student that is not in the catalog.
    """
    name = name.strip()
    defaults = {**(defaults or {}), "teacher": teacher, "student": student}
    defaults["descriptions"] = {"modality": modality, **defaults.get("descriptions", {})}
    make_config(base=defaults)
    for towers in (teacher, student):
        find_entry(towers)
    with reading(home.engine) as session:
        projects.refuse_taken_name(session, name)
    root = Path(image_root).expanduser().absolute()
    recipe = recipe or RenderingRecipe()
    if labels is None and class_folders and order is None:
        _refuse_undecided(root)
    scan = scan_folder(root, recipe=recipe, labels=labels, class_folders=class_folders, order=order, progress=progress)
    splits = draw_or_wait(scan.manifest)
    project = Project(
        name=name,
        image_root=str(root),
        modality=modality,
        teacher=teacher,
        student=student,
        recipe=recipe.model_dump(mode="json"),
        defaults=defaults,
    )
    class_keys = sorted(set(scan.manifest["label"]) - {""})
    with writing(home.engine) as session:
        projects.add_project(session, project, prompt_names(class_keys) | (class_names or {}))
        # Inside the transaction: a project that is in the database has its files.
        _write_files(home.project_folder(project.id), scan.manifest, splits, scan.problems)
        made = f"Made from {len(scan.manifest):,} images in {root}, {len(class_keys):,} classes."
        note(session, project.id, "project", made, home.actor.name)
    return get_project(home, project.id)


def _refuse_undecided(root: Path) -> None:
    """Nothing is made of folders that can be read in two ways: a test folder taken for a class would be trained on."""
    layout = read_layout(list_pictures(root))
    if layout.question:
        hint = f"Say what the folders are (--folders): {', '.join(layout.choices)}."
        raise DataError(layout.question.removesuffix("."), hint)


def draw_or_wait(manifest: pd.DataFrame) -> Splits:
    """The splits of a manifest's labels, or `undrawn` while a class has fewer than two labelled images.

    Raises:
        DataError: no usable image, or labels, groups and fixed splits that contradict one another.
    """
    labelled = Counter(manifest.loc[manifest["label"] != "", "label"])
    if len(manifest) and (not labelled or min(labelled.values()) < 2):
        return undrawn()
    return make_splits(manifest, dataset=data_set_key(manifest))


@use_case
def open_demo(home: Home, which: Demo = "ucmerced", *, curated: bool = False) -> ProjectSummary:
    """Open a bundled demo project, made at the first call. It needs no network and may be called as often as one likes.

    Args:
        curated: add the verdicts that ship with it (by the reviewer "reference"); else its descriptions are yours to
            judge.

    Raises:
        NotFoundError: no such demo, or the package came without its demo folder.
    """
    if which not in get_args(Demo):
        raise NotFoundError("there is no such demo", f"Choose one of: {', '.join(get_args(Demo))}.", value=which)
    folder = bundled.demo_folder() / which
    about = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    if about["name"] not in project_names(home).values():
        create_project(
            home,
            about["name"],
            folder / about["image_root"],
            labels=folder / about["labels"],
            class_names=about["classes"],
            teacher=about["teacher"],
            student=about["student"],
            modality=about["modality"],
            defaults=PRESETS[about["defaults"]["preset"]],
        )
    import_descriptions(home, about["name"], folder / "descriptions.jsonl")
    if curated:
        _take_reference_verdicts(home, about["name"], folder / "verdicts.jsonl")
    return get_project(home, about["name"])


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
    """Project id -> name, the oldest first."""
    with reading(home.engine) as session:
        return {project.id: project.name for project in projects.list_projects(session)}


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
def summary_of(home: Home, session: Session, project: Project) -> ProjectSummary:
    """A project's row with what its files say.

    Raises:
        DataError: a file or a setting of it is damaged.
    """
    problems = read_json(home.project_folder(project.id) / "problems.json", _PROBLEMS)
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
        problems=fitted(list[Problem], problems, _PROBLEMS),
        notes=now.splits.notes,
        drawn=now.splits.drawn,
        revision=now.revision,
        descriptions=projects.count_descriptions(session, project.id),
        verdicts=dict(count_decisions(session, project.id)),
        blind=project.blind,
        baseline_run=project.baseline_run,
    )


def _take_reference_verdicts(home: Home, name: str, path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    with writing(home.engine) as session:
        project_id = projects.find_project(session, name).id
        for verdict in map(json.loads, lines):
            add_verdict(
                session,
                project_id,
                verdict["description_id"],
                verdict["verdict"],
                reviewer=verdict["reviewer"],
                text=verdict.get("text_after"),
                reason=verdict["reason"],
                token=f"reference-{project_id}-{verdict['description_id']}",
            )


def write_splits(folder: Path, splits: Splits) -> None:
    """Freeze a draw beside the project's manifest."""
    write_text(folder / "splits.json", splits.to_json())


def _write_files(folder: Path, manifest: pd.DataFrame, splits: Splits, problems: list[Problem]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "manifest.parquet", manifest)
    write_splits(folder, splits)
    write_json(folder / "problems.json", [asdict(problem) for problem in problems])

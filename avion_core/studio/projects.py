"""Projects: a folder of images with its classes, its frozen splits and the pair of models that works on it."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd
from sqlalchemy.orm import Session

from avion_core.config import PRESETS, make_config
from avion_core.data.class_names import prompt_names
from avion_core.data.problems import Problem
from avion_core.data.progress import Progress
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import scan_folder
from avion_core.data.splits import Splits, make_splits
from avion_core.errors import DataError, NotFoundError
from avion_core.store import projects as rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Project, ProjectClass
from avion_core.store.verdicts import add_verdict, count_decisions
from avion_core.studio.descriptions import import_descriptions

Demo = Literal["ucmerced", "eurosat"]


@dataclass(frozen=True)
class ClassInfo:
    """One class; `count` is its labelled images, the others are the parts of seed 1 at the most shots."""

    key: str
    prompt_name: str
    count: int
    train: int
    validation: int
    test: int


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
    descriptions: int
    verdicts: dict[str, int]
    """How many descriptions stand accepted and rejected; none for those that nobody judged."""
    baseline_run: str | None
    """The run that others are compared with, pinned by a person."""


def create_project(
    home: Home,
    name: str,
    image_root: Path,
    *,
    labels: Path | None = None,
    recipe: RenderingRecipe | None = None,
    class_names: dict[str, str] | None = None,
    teacher: str = "georsclip-vit-h-14",
    student: str = "georsclip-vit-b-32",
    defaults: dict[str, Any] | None = None,
    modality: str = "optical",
    progress: Progress | None = None,
) -> ProjectSummary:
    """Read a folder of images, draw its splits once, and keep both.

    Args:
        labels: a table of path, label, group and split instead of class folders (see `data.scan`).
        recipe: how rasters become pictures; None takes 8-bit grey and RGB files as they are.
        class_names: class key -> prompt name, where the words made from the keys will not do.
        defaults: nested settings that every run of the project starts from (see `config.make_config`).

    Raises:
        DataError: the name is taken, or the folder or its labels cannot be used.
        ConfigError: models or defaults that make no settings.
    """
    name = name.strip()
    defaults = {**(defaults or {}), "teacher": teacher, "student": student}
    defaults["descriptions"] = {"modality": modality, **defaults.get("descriptions", {})}
    make_config(base=defaults)
    with reading(home.engine) as session:
        rows.refuse_taken_name(session, name)
    root = Path(image_root).expanduser().absolute()
    recipe = recipe or RenderingRecipe()
    scan = scan_folder(root, recipe=recipe, labels=labels, progress=progress)
    splits = make_splits(scan.manifest, dataset=name)
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
        rows.add_project(session, project, prompt_names(class_keys) | (class_names or {}))
        # Inside the transaction: a project that is in the database has its files.
        _write_files(home.project_folder(project.id), scan.manifest, splits, scan.problems)
    return get_project(home, project.id)


def open_demo(home: Home, which: Demo = "ucmerced", *, curated: bool = False) -> ProjectSummary:
    """Open a bundled demo project, made at the first call. It needs no network and may be called as often as one likes.

    Args:
        curated: add the verdicts that ship with it (by the reviewer "reference"); else its descriptions are yours to
            judge.

    Raises:
        NotFoundError: no such demo, or the package came without its demo folder.
    """
    from avion_core.backbones.load import demo_folder  # brings torch along, which nothing else here needs

    if which not in get_args(Demo):
        raise NotFoundError("there is no such demo", f"Choose one of: {', '.join(get_args(Demo))}.", value=which)
    folder = demo_folder() / which
    about = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    images = folder / about["image_root"]
    with writing(home.engine) as session:
        made = next((row for row in rows.list_projects(session) if row.name == about["name"]), None)
        if made is not None:
            made.image_root = str(images)  # the package may have moved since
    if made is None:
        create_project(
            home,
            about["name"],
            images,
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


def list_projects(home: Home) -> list[ProjectSummary]:
    """All projects, the oldest first."""
    with reading(home.engine) as session:
        return [_summary(home, session, project) for project in rows.list_projects(session)]


def get_project(home: Home, name_or_id: str) -> ProjectSummary:
    """One project by its name or id.

    Raises:
        NotFoundError: with the names there are.
    """
    with reading(home.engine) as session:
        return _summary(home, session, rows.find_project(session, name_or_id))


def rename_prompt(home: Home, project: str, class_key: str, prompt_name: str) -> None:
    """Give a class other words in prompts; its label, descriptions and verdicts stay.

    Raises:
        NotFoundError: no such class.
        DataError: no words, or words of another class.
    """
    words = " ".join(prompt_name.split())
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        row = session.get(ProjectClass, (project_id, class_key))
        if row is None:
            raise NotFoundError("the project has no such class", "Choose one that it has.", value=class_key)
        others = {name.casefold() for key, name in rows.prompt_names(session, project_id).items() if key != class_key}
        if not words or words.casefold() in others:
            way_out = "Choose words that no other class has: the student tells classes apart by them."
            raise DataError("a prompt name is empty or taken", way_out, value=prompt_name)
        row.prompt_name = words


def read_manifest(home: Home, project_id: str) -> pd.DataFrame:
    """The project's images, one row per content (see `data.scan`)."""
    return pd.read_parquet(home.project_folder(project_id) / "manifest.parquet")


def read_splits(home: Home, project_id: str) -> Splits:
    """The project's frozen splits."""
    return Splits.from_json((home.project_folder(project_id) / "splits.json").read_text(encoding="utf-8"))


def _summary(home: Home, session: Session, project: Project) -> ProjectSummary:
    folder = home.project_folder(project.id)
    manifest, splits = read_manifest(home, project.id), read_splits(home, project.id)
    counts = Counter(manifest["label"])
    tested = Counter(manifest.loc[manifest["image_id"].isin(splits.test), "label"])
    seed = min(splits.train)
    return ProjectSummary(
        id=project.id,
        name=project.name,
        image_root=Path(project.image_root),
        recipe=RenderingRecipe.model_validate(project.recipe),
        modality=project.modality,
        teacher=project.teacher,
        student=project.student,
        defaults=project.defaults,
        images=len(manifest),
        labelled=len(manifest) - counts[""],
        classes=[
            ClassInfo(
                key=key,
                prompt_name=name,
                count=counts[key],
                train=len(splits.train[seed].get(key, ())),
                validation=len(splits.validation[seed].get(key, ())),
                test=tested[key],
            )
            for key, name in rows.prompt_names(session, project.id).items()
        ],
        problems=[Problem(**entry) for entry in json.loads((folder / "problems.json").read_text(encoding="utf-8"))],
        notes=splits.notes,
        descriptions=rows.count_descriptions(session, project.id),
        verdicts=dict(count_decisions(session, project.id)),
        baseline_run=project.baseline_run,
    )


def _take_reference_verdicts(home: Home, name: str, path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    with writing(home.engine) as session:
        project_id = rows.find_project(session, name).id
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


def _write_files(folder: Path, manifest: pd.DataFrame, splits: Splits, problems: list[Problem]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "manifest.parquet.part"
    manifest.to_parquet(unfinished, index=False)
    os.replace(unfinished, folder / "manifest.parquet")
    listed = json.dumps([asdict(problem) for problem in problems], ensure_ascii=False)
    for name, text in (("splits.json", splits.to_json()), ("problems.json", listed)):
        unfinished = folder / f"{name}.part"
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, folder / name)

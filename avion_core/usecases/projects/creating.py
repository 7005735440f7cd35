"""Making projects: of a folder of images with its classes and frozen splits, or the bundled demos."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from avion_core import bundled
from avion_core.data.captioned import match_captions
from avion_core.data.captions import Captions, captions_if_any, no_captions
from avion_core.data.class_names import prompt_names
from avion_core.data.drawing import data_set_key, make_splits
from avion_core.data.layout import FolderOrder, read_layout
from avion_core.data.problems import Problem
from avion_core.data.project import CAPTION_FILE
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import list_pictures, scan_folder
from avion_core.data.splits import KeepTogether, Splits, undrawn
from avion_core.errors import DataError, NotFoundError
from avion_core.files import write_json, write_table, write_text
from avion_core.presets import PRESETS, make_config
from avion_core.progress import Progress
from avion_core.store import projects
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.tables import Project
from avion_core.store.verdicts import add_verdict
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.contents import Copies
from avion_core.usecases.projects.demo_results import install_demo_results
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.neighbours import keep_neighbours
from avion_core.usecases.projects.summaries import SOUGHT, ProjectSummary, get_project

Demo = Literal["ucmerced", "eurosat"]


@use_case
def create_project(
    home: Home,
    name: str,
    image_root: Path,
    *,
    labels: Path | None = None,
    class_folders: bool = True,
    order: FolderOrder | None = None,
    together: KeepTogether | None = None,
    block_km: float | None = None,
    told: KeepTogether | None = None,
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
        labels: a table of path, label, group and split instead of class folders (see `data.labels` for its forms), or
            a caption file, whose captions are kept.
        class_folders: whether the folders in it are classes; if not, all images are unlabelled.
        order: what the folders are, where `data.layout` leaves more than one reading; a given split is then kept.
        together: what tells neighbours, which stay on one side of the splits, beside groups and near-copies.
        block_km: side of the blocks of ground, where `together` is `place`; None chooses it.
        told: what told the groups of the label table, where that was done before; it is recorded.
        recipe: how rasters become pictures; None takes 8-bit grey and RGB files as they are.
        class_names: class key -> prompt name, where the words made from the keys will not do.
        defaults: nested settings that every run of the project starts from (see `config.make_config`).

    Raises:
        RightsError: a path that is not theirs to name (see `usecases.folders`).
        DataError: the name is taken, the folder or its labels cannot be used, or it is to be said what its folders are.
        ConfigError: defaults that make no settings.
        NotFoundError: a teacher or student that is not in the catalog, or a teacher whose features are to tell
            neighbours and that is not installed.
    """
    root = nameable(home.actor, image_root)
    labels = None if labels is None else nameable(home.actor, labels)
    name = name.strip()
    defaults = {**(defaults or {}), "teacher": teacher, "student": student}
    defaults["descriptions"] = {"modality": modality, **defaults.get("descriptions", {})}
    make_config(base=defaults)
    for towers in (teacher, student):
        home.models.find(towers)
    if together == "features":
        home.weights.need(teacher)  # before the images are read
    with reading(home.engine) as session:
        projects.refuse_taken_name(session, name)
    recipe = recipe or RenderingRecipe()
    if labels is None and class_folders and order is None:
        _refuse_undecided(root)
    scan = scan_folder(
        root,
        recipe=recipe,
        labels=labels,
        class_folders=class_folders,
        order=order,
        progress=progress,
    )
    manifest, problems, said = scan.manifest, scan.problems, ""
    if together is not None:
        manifest, of_neighbours, said = keep_neighbours(
            home,
            manifest,
            root,
            together,
            labels=labels,
            recipe=recipe,
            teacher=teacher,
            block_km=block_km,
            progress=progress,
        )
        problems = problems + of_neighbours
    splits = draw_or_wait(manifest, together or told)
    captions = no_captions()
    if labels is not None and (found := captions_if_any(labels)) is not None:
        captions = captions_of(found, manifest, root)[0]  # its problems are among the scan's
    project = Project(
        name=name,
        image_root=str(root),
        modality=modality,
        teacher=teacher,
        student=student,
        recipe=recipe.model_dump(mode="json"),
        defaults=defaults,
    )
    class_keys = sorted(set(manifest["label"]) - {""})
    with writing(home.engine) as session:
        projects.add_project(session, project, prompt_names(class_keys) | (class_names or {}))
        # Inside the transaction: a project that is in the database has its files.
        write_files(home.project_folder(project.id), manifest, splits, problems)
        if len(captions):
            write_table(home.project_folder(project.id) / CAPTION_FILE, captions)
        made = f"Made from {len(manifest):,} images in {root}, {len(class_keys):,} classes. {said}".strip()
        note(session, project.id, "project", made, home.actor.name)
    return get_project(home, project.id)


def _refuse_undecided(root: Path) -> None:
    """Nothing is made of folders that can be read in two ways: a test folder taken for a class would be trained on."""
    layout = read_layout(list_pictures(root))
    if layout.question:
        hint = f"Say what the folders are (--folders): {', '.join(layout.choices)}."
        raise DataError(layout.question.removesuffix("."), hint)


def draw_or_wait(manifest: pd.DataFrame, together: KeepTogether | None = None) -> Splits:
    """The splits of a manifest's labels, or `undrawn` while a class has fewer than two labelled images.

    Raises:
        DataError: no usable image, or labels, groups and fixed splits that contradict one another.
    """
    labelled = Counter(manifest.loc[manifest["label"] != "", "label"])
    if len(manifest) and (not labelled or min(labelled.values()) < 2):
        return undrawn(together=together)
    return make_splits(manifest, dataset=data_set_key(manifest), together=together)


def captions_of(found: Captions, manifest: pd.DataFrame, root: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """A caption file's texts by the images of a manifest (see `data.captioned.match_captions`)."""
    image_of: dict[str, str] = dict(zip(manifest["path"], manifest["image_id"], strict=True))
    copies = Copies(root, {image: image for image in image_of.values()})
    return match_captions(found, image_of, copies)


@use_case
def open_demo(home: Home, which: Demo = "ucmerced", *, curated: bool = False, results: bool = True) -> ProjectSummary:
    """Open a bundled demo project, made at the first call. It needs no network and may be called as often as one likes.

    Args:
        curated: add the verdicts that ship with it (by the reviewer "reference"); else its descriptions are yours to
            judge.
        results: with what it comes with, when it is made: embeddings, a finished run and a map (see `demo_results`).

    Raises:
        NotFoundError: no such demo, or the package came without its demo folder.
    """
    if which not in get_args(Demo):
        raise NotFoundError("there is no such demo", f"Choose one of: {', '.join(get_args(Demo))}.", value=which)
    folder = bundled.demo_folder() / which
    about = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    with reading(home.engine) as session:
        known = {project.name for project in projects.list_projects(session)}
    is_new = about["name"] not in known
    if is_new:
        create_project(
            home,
            about["name"],
            folder / about["image_root"],
            labels=folder / about["labels"],
            class_names=about["classes"],
            teacher=about["teacher"],
            student=about["student"],
            modality=about["modality"],
            told=about.get("keep_together"),
            defaults=PRESETS[about["defaults"]["preset"]],
        )
    import_descriptions(home, about["name"], folder / "descriptions.jsonl")
    if is_new and results:
        install_demo_results(home, get_project(home, about["name"]).id, folder)
    if curated:
        _take_reference_verdicts(home, about["name"], folder / "verdicts.jsonl")
    return get_project(home, about["name"])


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


def write_files(folder: Path, manifest: pd.DataFrame, splits: Splits, problems: list[Problem]) -> None:
    """Keep what was read of a project's images: manifest, splits and problems, in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "manifest.parquet", manifest)
    write_splits(folder, splits)
    write_json(folder / "problems.json", [asdict(problem) for problem in problems])
    write_json(folder / SOUGHT, {"sets": sum(problem.kind == "near_copy" for problem in problems), "unread": 0})

"""Near-copies among the images of a project that exists: those that a split divides are told; the split stays."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from avion_core.data.near_copies import Glimpse, glimpse, shown_twice
from avion_core.data.neighbours import shows_the_same
from avion_core.data.problems import Problem
from avion_core.data.splits import Splits
from avion_core.errors import DataError
from avion_core.files import write_json
from avion_core.progress import Progress
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.journal import note
from avion_core.store.sources import image_source
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import SOUGHT, get_project, read_manifest, read_problems, read_splits
from avion_core.wording import counted

_KIND = "near_copy"


@use_case
def seek_near_copies(home: Home, project: str, progress: Progress | None = None) -> list[Problem]:
    """Look for near-copies (see `data.near_copies`) among a project's images; they become its problems of that kind.

    No image changes its part, for splits are frozen: each set is told with the parts that it lies in. Images that
    cannot be read are passed over.

    Raises:
        NotFoundError: no such project. DataError: none of its images can be read.
    """
    summary = get_project(home, project)
    manifest = read_manifest(home, summary.id)
    source = image_source(home, summary.id)
    ids, paths = manifest["image_id"].tolist(), manifest["path"].tolist()
    missing = 0

    def seen(image_id: str) -> Glimpse | None:
        nonlocal missing
        try:
            return glimpse(source.open(image_id, summary.recipe))
        except DataError:
            missing += 1
            return None

    glimpses: list[Glimpse | None] = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for done, found in enumerate(pool.map(seen, ids), start=1):
            glimpses.append(found)
            if progress is not None:
                progress(done, len(ids), "reading images")
    if ids and missing == len(ids):
        hint = "Link the project to its images, then look again."
        raise DataError("none of the project's images can be read", hint, value=str(summary.image_root))
    sets = shown_twice(paths, glimpses)
    splits = read_splits(home, summary.id)
    told = [_told([ids[place] for place in places], [paths[place] for place in places], splits) for places in sets]
    folder = home.project_folder(summary.id)
    with writing(home.engine) as session:
        kept = [problem for problem in read_problems(home, summary.id) if problem.kind != _KIND]
        problems = sorted(kept + told, key=lambda problem: (problem.path, problem.kind))
        write_json(folder / "problems.json", [asdict(problem) for problem in problems])
        write_json(folder / SOUGHT, {"sets": len(told), "unread": missing})
        unread = f"; {counted(missing, 'image')} could not be read" if missing else ""
        said = f"Looked for near-copies: {counted(len(told), 'set')} found{unread}."
        note(session, summary.id, "data", said, home.actor.name)
    return told


def _told(ids: list[str], paths: list[str], splits: Splits) -> Problem:
    tested = set(splits.test)
    sealed = sum(image in tested for image in ids)
    divided = [seed for seed in splits.train if _is_divided(ids, splits, seed)]
    if 0 < sealed < len(ids):
        said = "They lie on both sides of the test seal, so test figures are too good"
    elif divided:
        seeds = ", ".join(map(str, divided))
        said = f"Seed {seeds} trains on one and validates on another, so validation figures are too good"
    else:
        said = ""
    advice = f"{said}. A new project of this folder keeps them on one side." if said else "No split divides them."
    return Problem(_KIND, paths[0], f"{shows_the_same(paths[1:])} {advice}")


def _is_divided(ids: list[str], splits: Splits, seed: int) -> bool:
    def holds(part: dict[str, tuple[str, ...]]) -> bool:
        return any(image in of_class for of_class in part.values() for image in ids)

    return holds(splits.train[seed]) and holds(splits.validation[seed])

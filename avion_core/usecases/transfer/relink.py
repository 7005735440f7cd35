"""Images that moved: another drive, another folder, another machine. Their content proves that they are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from avion_core.data.scan import content_ids, list_pictures
from avion_core.errors import DataError
from avion_core.files import write_table
from avion_core.progress import Progress
from avion_core.store import journal
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.sources import MANIFEST, image_root, scanned_images
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import ProjectSummary, get_project

_SAMPLE = 24


@dataclass(frozen=True)
class RootLook:
    """A quick look at whether a project's images are where it looks for them."""

    image_root: Path
    looked: int
    """How many files were looked for, evenly over the manifest."""
    lacking: int

    @property
    def moved(self) -> bool:
        """Whether none of them is there, so that the folder itself must have moved."""
        return self.looked > 0 and self.lacking == self.looked

    @property
    def sentence(self) -> str:
        if not self.lacking:
            return f"The images are in {self.image_root}."
        if self.moved:
            return f"The images are no longer in {self.image_root}."
        return f"{self.lacking} of {self.looked} images checked are no longer in {self.image_root}."


@dataclass(frozen=True)
class RootCheck:
    """What a folder holds of a project's images, told by their content.

    Paths are relative to the folder.
    """

    root: Path
    same: int
    """Images that are where the manifest says."""
    moved: dict[str, str]
    """Image id -> where in the folder it lies now."""
    missing: list[str]
    """Images that are nowhere in it."""
    changed: list[str]
    """Paths of the manifest that hold another content now, which is not one of the project's images."""
    new: list[str]
    """Pictures that are none of the project's."""

    @property
    def complete(self) -> bool:
        """Whether every image of the project is there, so that it is the same set."""
        return not self.missing and not self.changed

    @property
    def found(self) -> int:
        return self.same + len(self.moved)

    @property
    def sentence(self) -> str:
        total = self.found + len(self.missing) + len(self.changed)
        parts = [f"{self.found:,} of {total:,} images are in {self.root}, identified by their content"]
        if self.moved:
            parts.append(f"{len(self.moved):,} of them with another path")
        for listed, what in (
            (self.missing, "missing"),
            (self.changed, "with another content"),
            (self.new, "new, not of this project"),
        ):
            if listed:
                parts.append(f"{len(listed):,} {what} ({listed[0]}{', …' if len(listed) > 1 else ''})")
        return "; ".join(parts) + "."


def root_is_there(project: ProjectSummary) -> bool:
    """Whether the folder of a project's images is there at all, where it has images."""
    return not project.pictures or project.image_root.is_dir()


@use_case
def look_at_root(home: Home, project: str) -> RootLook:
    """Whether a project's images are where it looks for them; takes milliseconds.

    Raises:
        NotFoundError: no such project.
    """
    project_id, root = _project(home, project)
    if not get_project(home, project_id).pictures:
        return RootLook(root, 0, 0)
    paths = _manifest(home, project_id)["path"]
    chosen = paths.iloc[:: max(1, len(paths) // _SAMPLE)][:_SAMPLE]
    return RootLook(root, len(chosen), sum(not (root / path).is_file() for path in chosen))


@use_case
def check_root(home: Home, project: str, root: Path | None = None, *, progress: Progress | None = None) -> RootCheck:
    """Compare a folder with a project's images, content by content. Every picture in it is read once.

    Args:
        root: the folder; None takes the project's own.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: no such project.
        DataError: no such folder, or no picture in it.
    """
    root = None if root is None else nameable(home.actor, root)
    project_id, own_root = _project(home, project)
    root = root or own_root
    manifest = _manifest(home, project_id)
    path_of = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    found = content_ids(root, list_pictures(root), progress)
    places: dict[str, list[str]] = {}
    for path, image_id in found.items():
        places.setdefault(image_id, []).append(path)
    same, moved, missing, changed = 0, {}, [], []
    for image_id, path in path_of.items():
        if found.get(path) == image_id:
            same += 1
        elif image_id in places:
            moved[image_id] = places[image_id][0]
        else:
            (changed if path in found else missing).append(path)
    new = [path for path, image_id in found.items() if image_id not in path_of and path not in set(changed)]
    return RootCheck(root, same, moved, sorted(missing), sorted(changed), new)


@use_case
def relink(
    home: Home, project: str, root: Path, *, incomplete: bool = False, progress: Progress | None = None
) -> RootCheck:
    """Let a project find its images in another folder, once their content proves that they are the same.

    Images that lie under another path there are followed. Frozen parts, labels, descriptions and runs stay as they
    are: they go by content.

    Args:
        incomplete: link although some images are missing or have another content; work that needs those will say so.

    Raises:
        NotFoundError: no such project.
        DataError: no such folder; another set of images; or an incomplete one, unless that was allowed.
    """
    check = check_root(home, project, root, progress=progress)
    if not check.found:
        raise DataError(
            "none of the project's images is in this folder", "Choose the folder they moved to.", value=str(check.root)
        )
    if not check.complete and not incomplete:
        hint = "Put the missing ones back, or link anyway (--incomplete)."
        raise DataError(check.sentence.removesuffix("."), hint)
    with writing(home.engine) as session:
        row = find_project(session, project)
        row.image_root = str(check.root)
        journal.note(session, row.id, "data", f"Images re-linked: {check.sentence}", home.actor.name)
        if check.moved:
            _follow(home, row.id, check.moved)
    return check


def _project(home: Home, project: str) -> tuple[str, Path]:
    with reading(home.engine) as session:
        row = find_project(session, project)
        return row.id, image_root(row)


def _manifest(home: Home, project_id: str) -> pd.DataFrame:
    """Image ids and paths as they were scanned; labels given since do not matter here."""
    return scanned_images(home, project_id, ["image_id", "path"])


def _follow(home: Home, project_id: str, moved: Mapping[str, str]) -> None:
    """Write the new paths of moved images into a manifest."""
    manifest = scanned_images(home, project_id)
    manifest["path"] = manifest["image_id"].map(moved).fillna(manifest["path"])
    write_table(home.project_folder(project_id) / MANIFEST, manifest)

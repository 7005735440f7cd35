"""What a rerun needs beside a capsule: images, found by their content, and weights, known by their SHA-256."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from avion_core.backbones.catalog import is_given
from avion_core.data.project import ProjectData
from avion_core.data.scan import content_ids, list_pictures
from avion_core.data.sources import ImageFolder, ImageSource, NoPictures
from avion_core.downloads import sha256_of
from avion_core.errors import CheckpointError, DataError, NotFoundError
from avion_core.progress import Progress
from avion_core.store.home import Home
from avion_core.store.sources import image_source, scanned_images
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import get_project, list_projects
from avion_core.usecases.transfer.capsule.facts import CapsuleRun, Contents, Weights
from avion_core.wording import counted


@dataclass(frozen=True)
class Materials:
    """Where the images of a capsule's runs are on this machine."""

    files: Mapping[str, str]
    """Image id -> absolute path."""

    def source(self, run: CapsuleRun, project: ProjectData) -> ImageSource:
        """The images of a project of a run."""
        names = dict(zip(project.manifest["image_id"], project.manifest["path"], strict=True))
        return NoPictures(names) if is_given(run.config.teacher) else ImageFolder(Path(), self.files)


@use_case
def find_materials(
    home: Home,
    contents: Contents,
    *,
    images: Path | None,
    project: str | None,
    progress: Progress | None = None,
) -> Materials:
    """Find the images and weights that a capsule's runs need.

    Args:
        images: a folder with them, under whatever names; project: a project of this home that has them. Without either,
            all projects of this home are looked through.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: no such project.
        DataError: something is missing, or is another file than the runs saw: all of it is named, with what to do.
    """
    images = None if images is None else nameable(home.actor, images)
    needed = _needed(contents)
    files = _files(home, set(needed), images, project, progress) if needed else {}
    said, hints = [], []
    if missing := [path for image_id, path in needed.items() if image_id not in files]:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        said.append(f"{len(missing):,} of {counted(len(needed), 'image')} are not found by their content ({shown})")
        hints.append("Give a folder or a project that has the images.")
    for weights in contents.facts.weights:
        if problem := _problem(home, weights):
            said.append(problem[0])
            hints.append(problem[1])
    if said:
        raise DataError(f"the capsule cannot be run again here: {'; '.join(said)}", " ".join(dict.fromkeys(hints)))
    return Materials(files)


def _needed(contents: Contents) -> dict[str, str]:
    """Image id -> path, as it was, of what the runs trained and were measured on."""
    needed: dict[str, str] = {}
    for run in contents.facts.runs:
        if is_given(run.config.teacher):
            continue
        for project in contents.projects_of(run):
            seed, splits = run.config.data.seed, project.splits
            seen = {*splits.test, *project.captions["image_id"]} if len(project.captions) else {*splits.test}
            for part in (splits.validation, splits.train):
                seen |= {image for found in part.get(seed, {}).values() for image in found}
            rows = project.manifest[project.manifest["image_id"].isin(seen)]
            needed |= dict(zip(rows["image_id"], rows["path"], strict=True))
    return needed


def _files(
    home: Home, needed: set[str], images: Path | None, project: str | None, progress: Progress | None
) -> dict[str, str]:
    """Image id -> absolute path of those that are here; a file counts by its content as it is now."""
    found: dict[str, str] = {}
    for root, paths in _places(home, needed, images, project):
        for path, image_id in content_ids(root, paths, progress).items():
            if image_id in needed:
                found.setdefault(image_id, str(root.absolute() / path))
        if needed <= found.keys():
            break
    return found


def _places(home: Home, needed: set[str], images: Path | None, project: str | None) -> Iterator[tuple[Path, list[str]]]:
    """Folders with the pictures in them that may be needed."""
    if images is not None:
        yield images, list_pictures(images)
    if project is not None or images is None:
        projects = [get_project(home, project)] if project is not None else list_projects(home)
        for one in projects:
            source = image_source(home, one.id)
            if isinstance(source, ImageFolder):
                manifest = scanned_images(home, one.id, ["image_id", "path"])
                yield source.root, manifest.loc[manifest["image_id"].isin(needed), "path"].tolist()


def _problem(home: Home, weights: Weights) -> tuple[str, str] | None:
    """What is wrong with the weights of that name here, and what to do; None where they are the same."""
    try:
        path = home.weights.path(weights.name)
    except NotFoundError:
        return f"{weights.name} is no model of this version", "Use the version that wrote the capsule."
    except CheckpointError as error:
        return error.what, error.hint
    if path is None:
        if is_given(weights.name):
            return (
                f"the embeddings {weights.name} are not in this home",
                "Make the project from its file of embeddings again (avion projects create NAME --features FILE).",
            )
        return f"the weights of {weights.title} are not installed", f"Get them: avion models download {weights.name}."
    if (found := sha256_of(path)) != weights.sha256:
        return (
            f"the weights of {weights.title} are another file (SHA-256 {found[:12]}…, not {weights.sha256[:12]}…)",
            f"Install the file that the capsule names: avion models add {weights.name} FILE.",
        )
    return None

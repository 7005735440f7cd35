"""A whole project in one file, and out of it on another machine.

The file holds the rows of all tables, the project's folder (manifest, splits), and its runs with everything in their
folders; if wanted, the images and the embeddings that were computed. Not in it: weights, and people's accounts.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avion_core.errors import DataError, RightsError
from avion_core.files import UNFINISHED, clear_leftovers, unfinished_beside
from avion_core.progress import Progress
from avion_core.store import journal
from avion_core.store.database import SCHEMA, reading, writing
from avion_core.store.home import Home
from avion_core.store.project_rows import checked_rows, read_rows, write_rows
from avion_core.store.projects import find_project, refuse_taken_name
from avion_core.store.sources import EMBEDDINGS, image_root, scanned_images
from avion_core.store.tables import now
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import ProjectSummary, summary_of
from avion_core.usecases.projects.without_pictures import refuse_without_pictures
from avion_core.usecases.transfer.archives import Archive, ArchiveWriter, new_archive
from avion_core.usecases.transfer.pack_checks import NEEDED, check_project, read_table

KIND, FORMAT = "avion-project", 1
_UNFINISHED = (UNFINISHED, ".tmp")  # .tmp: what earlier versions left
_ROWS_A_SHARD = 20_000


@dataclass(frozen=True)
class Packed:
    """What a pack holds."""

    path: Path
    bytes: int
    descriptions: int
    decisions: int
    runs: int
    images: int
    embeddings: int

    @property
    def sentence(self) -> str:
        held = [
            f"{count:,} {noun}"
            for count, noun in (
                (self.descriptions, "descriptions"),
                (self.decisions, "decisions"),
                (self.runs, "runs"),
                (self.images, "images"),
                (self.embeddings, "embeddings"),
            )
            if count
        ]
        return f"{self.bytes / 2**20:,.1f} MiB with {', '.join(held) or 'the project alone'}."


@use_case
def pack_project(
    home: Home,
    project: str,
    path: Path,
    *,
    images: bool = False,
    features: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Write a project into one file.

    Args:
        images: with the image files, as they are. Without them the other machine needs the same folder.
        features: with the embeddings of its images and texts, so that they need not be computed again.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: no such project.
        DataError: the file is there already or cannot be written, or an image is not there.
    """
    path = nameable(home.actor, path)
    about: dict[str, Any] = {}
    embeddings = 0
    with new_archive(home, path, KIND, FORMAT, about) as archive:
        with writing(home.engine) as session:
            row = find_project(session, project)
            refuse_without_pictures(row, "a packed project")
            project_id, name, root = row.id, row.name, image_root(row)
            journal.note(session, project_id, "project", f"Packed into {path.name}.", home.actor.name)
            tables = read_rows(session, project_id)
        manifest = scanned_images(home, project_id)
        about |= {
            "schema": SCHEMA,
            "made_at": now().isoformat(),
            "project": {"id": project_id, "name": name},
            "images": images,
        }
        for table, found in tables.items():
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
            archive.add(f"tables/{table}.jsonl", lines.encode())
        _add_folder(archive, "project", home.project_folder(project_id))
        for run in tables["runs"]:
            _add_folder(archive, f"runs/{run['id']}", home.run_folder(run["id"]))
        if images:
            for done, image in enumerate(manifest["path"], start=1):
                if not (root / image).is_file():
                    hint = "Link the project to its images again, or pack without them."
                    raise DataError("an image of the project was not found", hint, value=str(root / image))
                archive.add_file(f"images/{image}", root / image)
                if progress is not None:
                    progress(done, len(manifest), "packing images")
        if features:
            images_as_they_are = {image_id: image_id for image_id in manifest["image_id"]}
            embeddings = add_features(home, archive, images_as_they_are, texts_of(tables))
    return Packed(
        path=path,
        bytes=path.stat().st_size,
        descriptions=len(tables["descriptions"]),
        decisions=len(tables["verdicts"]),
        runs=len(tables["runs"]),
        images=len(manifest) if images else 0,
        embeddings=embeddings,
    )


@use_case
def unpack_project(
    home: Home, path: Path, *, name: str | None = None, progress: Progress | None = None
) -> ProjectSummary:
    """Take a project out of a pack.

    Images that came with it are kept in the project's folder; else its image root is the one of the other machine,
    to be re-linked where it lies elsewhere. A project that is here already is left as it is: the pack becomes a copy.

    Args:
        name: what to call it, where its own name is taken.

    Raises:
        RightsError: a path that is not theirs to name.
        DataError: a file that is no sound pack, of a newer AVION Studio, or too large for the disk; or the name is
            taken.
    """
    with Archive(nameable(home.actor, path), KIND, FORMAT) as archive:
        return take_in(home, archive, name, progress)


@use_case
def take_in(home: Home, archive: Archive, name: str | None, progress: Progress | None = None) -> ProjectSummary:
    """Write the project that an archive holds: its rows, its folder, and what lies beside them.

    Raises:
        DataError: as `unpack_project`.
    """
    if str(archive.about.get("schema", "")) > SCHEMA:
        hint = "Update AVION Studio (pip install --upgrade avion-studio)."
        raise DataError("the pack was made by a newer AVION Studio, schema", hint, value=archive.about["schema"])
    tables = checked_rows(
        {
            entry.removeprefix("tables/").removesuffix(".jsonl"): read_table(archive.read(entry), entry)
            for entry in archive.files
            if entry.startswith("tables/")
        }
    )
    if lacking := [name for name in NEEDED if f"project/{name}" not in archive.files]:
        raise DataError("the pack lacks a file of the project", "Pack it again.", value=lacking[0])
    wanted = name or tables["projects"][0]["name"]
    with reading(home.engine) as session:
        refuse_taken_name(session, wanted)
    moved: list[Path] = []
    with staging_folder(home, "unpacking") as staging:
        for part in ("project", "runs", "images", "features"):
            archive.unpack(f"{part}/", staging / part, progress)
        check_project(tables, staging / "project", _contents(archive) if archive.about.get("images") else None)
        _keep_apart(staging / "features", staging / "project")
        with _undone(moved), writing(home.engine) as session:
            refuse_taken_name(session, wanted)
            project_id, runs = write_rows(session, tables, wanted)
            row = find_project(session, project_id)
            folder = home.project_folder(project_id)
            if archive.about.get("images"):
                os.replace(staging / "images", staging / "project" / "images")
                row.image_root = str(folder / "images")
            else:
                row.image_root = str(_nameable_root(home, Path(row.image_root), folder / "images"))
            journal.note(session, project_id, "project", f"Unpacked from {archive.path.name}.", home.actor.name)
            # Inside the transaction: a project that is in the database has its files, and can be shown.
            moved.append(_move(staging / "project", folder))
            for old, new in runs.items():
                if (staging / "runs" / old).is_dir():
                    moved.append(_move(staging / "runs" / old, home.run_folder(new)))
            session.flush()
            summary = summary_of(home, session, row)
    return summary


def _nameable_root(home: Home, named: Path, else_here: Path) -> Path:
    """The image root that a pack names: a path that its maker typed, and to be re-linked where it may not be named."""
    try:
        nameable(home.actor, named)
    except RightsError:
        return else_here
    return named


@use_case
@contextmanager
def staging_folder(home: Home, purpose: str) -> Iterator[Path]:
    """A folder of the home for the time of one transfer; what killed ones left is cleared away first."""
    home.path.mkdir(parents=True, exist_ok=True)
    clear_leftovers(home.path.glob(f"*{UNFINISHED}"))
    folder = unfinished_beside(home.path / purpose)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _undone(moved: list[Path]) -> Iterator[None]:
    """Take folders away again that were moved into the home, where their rows are not kept."""
    try:
        yield
    except BaseException:
        for path in moved:
            shutil.rmtree(path, ignore_errors=True)
        raise


def _contents(archive: Archive) -> dict[str, str]:
    """Path -> SHA-256 of the images that are packed."""
    found = archive.files.items()
    return {name.removeprefix("images/"): entry["sha256"] for name, entry in found if name.startswith("images/")}


def _add_folder(archive: ArchiveWriter, name: str, folder: Path) -> None:
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder).as_posix()
        # What came with an earlier pack lies in the project's folder: images go by the manifest, embeddings stay here.
        kept = inside.startswith(("images/", f"{EMBEDDINGS}/"))
        if file.is_file() and not file.name.endswith(_UNFINISHED) and not kept:
            archive.add_file(f"{name}/{inside}", file)


def texts_of(tables: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    """Every text that descriptions have or had."""
    return {row["text"] for row in (*tables["descriptions"], *tables["verdicts"])}


@use_case
def add_features(
    home: Home,
    archive: ArchiveWriter,
    images: Mapping[str, str],
    texts: set[str],
    facts: Callable[[dict[str, str]], dict[str, str] | None] = dict,
) -> int:
    """Add the embeddings of images and texts, whatever models made them; returns how many.

    Args:
        images: image id here -> image id in the pack.
        facts: what made a space's rows (see `FeatureStore.space`) -> the same as the pack shall say it, or None to
            leave the space out.
    """
    from avion_core.features.shards import FeatureStore, content_key

    names = {**images, **{content_key(text): content_key(text) for text in texts}}
    count = 0
    with staging_folder(home, "packing") as folder:
        chosen = FeatureStore(folder)
        for space in home.features.spaces():
            space_facts = facts(space.facts)
            if space_facts is None:
                continue
            missing = set(space.missing(names))
            found = [key for key in names if key not in missing]
            for start in range(0, len(found), _ROWS_A_SHARD):
                part = found[start : start + _ROWS_A_SHARD]
                chosen.space(space.dim, **space_facts).write([names[key] for key in part], space.read(part))
            count += len(found)
        _add_folder(archive, "features", chosen.folder)
    return count


def _keep_apart(features: Path, project: Path) -> None:
    """Put a pack's embeddings of images into its project's own folder, where no other project looks.

    Those of texts are left out: they are soon computed, and a text stands in many projects.
    """
    from avion_core.features.shards import FeatureStore

    for space in FeatureStore(features).spaces():
        if space.facts.get("kind") == "image":
            target = project / EMBEDDINGS / space.folder.name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(space.folder, target)


def _move(folder: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.exists():
        shutil.rmtree(to)  # left over from a project or run that the database does not know
    os.replace(folder, to)
    return to

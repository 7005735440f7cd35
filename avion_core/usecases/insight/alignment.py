"""Alignment: where images, descriptions and prototypes lie for the teacher and for a run's student."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel

from avion_core.errors import AvionError, DataError, NotFoundError
from avion_core.jobs.kinds.mapping import INPUTS, MappingRequest, made_folder
from avion_core.jobs.submit import submit_new
from avion_core.maps.alignment_map import VIEWS
from avion_core.maps.settings import MapSettings, Part, map_settings
from avion_core.progress import Progress
from avion_core.protocols.run_map import image_parts, make_run_map
from avion_core.reading import Subject, fitted, read_json, read_parquet
from avion_core.store import jobs as job_rows
from avion_core.store import journal
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Job, Look
from avion_core.usecases import jobs
from avion_core.usecases.insight.map_subjects import MapSubject, Of, OfProject, map_inputs, map_subject
from avion_core.usecases.policies import TRAIN, demand, use_case
from avion_core.usecases.projects.summaries import read_manifest
from avion_core.usecases.runs.views import get_run

if TYPE_CHECKING:
    from avion_core.usecases.curation.blind import Sight

__all__ = ["VIEWS", "MapSettings", "Of", "OfProject", "Part", "map_settings"]

_MAP = Subject("the map", hint="Delete its folder and compute it again.")


class _Asked(BaseModel):
    """What a map's folder says of its request."""

    inputs: str
    settings: dict[str, Any]
    who: str = ""


@dataclass(frozen=True)
class MapView:
    """A map that was asked for."""

    key: str
    settings: MapSettings
    asked_by: str
    """Who had it computed; "" of one that is older than this was written down."""
    state: str
    """ "running" while it is computed or waits for that, "finished" or "failed"."""
    created: float
    """Seconds since 1970."""
    job: str = ""
    """Its job's id; "" of a finished one."""
    error: str = ""
    """Why it failed."""
    made: str = ""
    """The kept map's name, once finished."""
    older: bool = False
    """Of a project: its images, texts, verdicts or rules have changed since."""

    @property
    def shows_test(self) -> bool:
        """Whether images of the sealed test set are on it."""
        return "test" in self.settings.parts


@dataclass(frozen=True)
class MapResult:
    """A map that is there."""

    points: pd.DataFrame
    """See `maps.alignment_map.AlignmentMap`; an image's path is relative to the project's image root."""
    figures: pd.DataFrame
    """See `maps.alignment_map.AlignmentMap`."""
    counts: dict[str, tuple[int, int]]
    """Part of the images -> (how many are shown, how many there are)."""
    settings: MapSettings
    folder: Path
    """Where it is kept, named by its content."""

    @property
    def statement(self) -> str:
        """What is on the map and what is not, with exact numbers."""
        return shown_statement(self.settings, self.counts, Counter(self.points["kind"]))


@use_case
def image_counts(home: Home, of: Of) -> dict[str, int]:
    """How many images of each part such a map could show; parts without any are left out.

    Raises:
        NotFoundError, TrainingError: no such run or project, or the run has not been trained yet.
    """
    subject = map_subject(home, of, trained=True)
    parts = image_parts(map_inputs(home, subject), subject.config)
    if subject.run is None:
        del parts["test"]
    return {part: len(images) for part, images in parts.items() if images}


@use_case
def start_map(home: Home, of: Of, settings: MapSettings) -> str:
    """Compute a map in a process of its own, unless it is there or under way; returns the key to ask for it.

    A map with the sealed test set is a look at it by the actor.

    Raises:
        NotFoundError, TrainingError: no such run or project, or the run has not been trained yet.
        DataError: a project's own map with the sealed test set.
    """
    subject = map_subject(home, of, trained=True)
    _look(home, subject, settings)
    key, device = _key(subject, settings), subject.config.device
    entry = made_folder(subject.folder) / key
    if _made(entry, subject) is None:
        what: dict[str, Any] = {"run": subject.run.id} if subject.run else {"project": subject.project_id}
        if subject.run is None:
            if not (entry / INPUTS / "project.json").is_file():  # a process may be reading it
                map_inputs(home, subject).save(entry / INPUTS)
            what["config"] = subject.config.model_dump(mode="json")
        asked = settings.model_dump(mode="json")
        request = MappingRequest(**what, key=key, inputs=subject.digest, settings=asked, device=device)
        submit_new(home, "mapping", request, who=home.actor.name, project_id=subject.project_id, device=device)
    return key


@use_case
def list_maps(home: Home, of: Of) -> list[MapView]:
    """Maps of a run as it now is, or of a project, asked for by anybody, the newest first.

    A map of what a run was before (it has been trained further since) is not among them; one of what a project was
    before is, and says so.

    Raises:
        NotFoundError: no such run or project.
    """
    subject = map_subject(home, of)
    found = dict[str, MapView]()
    for job in _jobs_of(home, subject):
        older = job.request["inputs"] != subject.digest
        if job.state != "finished" and (not older or subject.run is None):
            found.setdefault(job.request["key"], _wanted(job, older))
    for entry in made_folder(subject.folder).glob("*"):
        if (made := _made(entry, subject)) is not None:
            found[entry.name] = made
    return sorted(found.values(), key=lambda one: (one.created, one.key), reverse=True)


@use_case
def get_map(home: Home, of: Of, key: str) -> MapView:
    """One map by its key.

    Raises:
        NotFoundError: no such run or project, or no map of what it now is under that key.
    """
    for found in list_maps(home, of):
        if found.key == key:
            return found
    raise NotFoundError("there is no such map", "Compute it again.", value=key)


@use_case
def read_map(home: Home, of: Of, key: str) -> MapResult:
    """A finished map.

    Raises:
        NotFoundError: no such run, project or map, or it is not finished.
    """
    found = get_map(home, of, key)
    subject = map_subject(home, of)
    folder = subject.folder / "maps" / found.made
    if found.state != "finished" or not folder.is_dir():
        raise NotFoundError("the map does not exist", "Wait until it is computed, or compute it again.", value=key)
    return _read_result(home, subject.project_id, folder, found.settings)


def as_seen(result: MapResult, sight: Sight) -> MapResult:
    """A map as a reviewer may see it: in a blind project, whether a text was kept is missing until they judged it."""
    points = result.points
    return replace(result, points=points.assign(kept=points["kept"].mask(sight.hides(points["id"]))))


@use_case
def stop_map(home: Home, of: Of, key: str) -> None:
    """End a map's computing, or forget a finished or failed one; embeddings that were made are kept.

    Raises:
        NotFoundError: no such run, project or map.
        RightsError: somebody else had it computed, and the actor may not stop trainings either.
    """
    who = home.actor.name
    found = get_map(home, of, key)
    if found.asked_by != who:
        demand(home.actor, TRAIN)
    subject = map_subject(home, of)
    for job in _jobs_of(home, subject):
        if job.request["key"] == found.key:
            jobs.forget(home, job.id)
    shutil.rmtree(made_folder(subject.folder) / found.key, ignore_errors=True)


@use_case
def look_at_test_map(home: Home, run: str) -> int:
    """Write down that the actor looks at a map with the sealed test set; returns the looks so far.

    Raises:
        NotFoundError: no such run.
    """
    who = home.actor.name
    view = get_run(home, run)
    with writing(home.engine) as session:
        session.add(Look(run_id=view.id, who=who))
        journal.note(
            session, view.project_id, "training", f"Opened the sealed test set on a map of the run {view.name}.", who
        )
    return view.looks + 1


@use_case
def embed_map(
    home: Home, of: Of, settings: MapSettings | None = None, *, progress: Progress | None = None
) -> MapResult:
    """Compute a map in this process and wait for it. One of the same content and settings is laid out once.

    Args:
        settings: what is on it and how it is laid out; `map_settings` makes them. The sealed test set is on it only
            when they ask for it, which is written down as a look by the actor.

    Raises:
        NotFoundError, TrainingError: no such run or project, or the run has not been trained yet.
        DataError: too few items, an image that cannot be decoded, or a project's own map with the sealed test set.
    """
    settings = settings or MapSettings()
    subject = map_subject(home, of, trained=True)
    _look(home, subject, settings)
    folder = make_run_map(
        map_inputs(home, subject),
        subject.config,
        subject.folder,
        settings,
        features=home.features,
        weights=home.weights,
        device=subject.device,
        progress=progress,
    )
    return _read_result(home, subject.project_id, folder, settings)


PART_NAMES: dict[str, str] = {
    "train": "training shots",
    "validation": "validation images",
    "pool": "other labelled images",
    "unlabelled": "unlabelled images",
    "test": "sealed test images",
}


def shown_statement(settings: MapSettings, counts: dict[str, tuple[int, int]], kinds: Mapping[str, int]) -> str:
    """What is on a map, what was sampled and what was left out, in exact numbers."""
    shown = [
        f"all {of:,} {PART_NAMES[part]}" if got == of else f"{got:,} of {of:,} {PART_NAMES[part]}"
        for part, (got, of) in counts.items()
        if part in settings.parts and "image" in settings.kinds
    ]
    shown += [f"all {kinds[kind]:,} {kind}s" for kind in ("description", "prototype") if kinds.get(kind, 0)]
    said = f"On the map: {', '.join(shown)}."
    if any(0 < got < of for got, of in counts.values()):
        said += f" Sampled: drawn at random with seed {settings.seed}, {settings.most_images:,} images at most."
    absent = [f"{of:,} {PART_NAMES[part]}" for part, (got, of) in counts.items() if not got]
    return f"{said} Not on the map: {', '.join(absent)}." if absent else said


def _read_result(home: Home, project_id: str, folder: Path, settings: MapSettings) -> MapResult:
    counts = fitted(
        dict[str, tuple[int, int]], read_json(folder / "counts.json", _MAP), _MAP, value=str(folder / "counts.json")
    )
    points = read_parquet(folder / "points.parquet", _MAP)
    if lacking := {"id", "path"} - set(points):
        raise _MAP.refused(f"lacks the column {min(lacking)}", value=str(folder / "points.parquet"))
    now = read_manifest(home, project_id).set_index("image_id")["path"]  # images may have moved since
    return MapResult(
        points.assign(path=points["id"].map(now).fillna(points["path"])),
        read_parquet(folder / "figures.parquet", _MAP),
        counts,
        settings,
        folder,
    )


def _look(home: Home, subject: MapSubject, settings: MapSettings) -> None:
    """Write down a look at the sealed test set, where a map shows it."""
    if "test" not in settings.parts:
        return
    if subject.run is None:
        hint = "Leave it out; with a trained run its map can show it, which is then written down."
        raise DataError("a project's own map does not show the sealed test set", hint)
    look_at_test_map(home, subject.run.id)


def _jobs_of(home: Home, subject: MapSubject) -> list[Job]:
    """Jobs that compute maps of a run, or of a project itself, or did; the newest first."""
    with reading(home.engine) as session:
        found = job_rows.list_jobs(session, kinds=("mapping",), project_id=subject.project_id)
    wanted = subject.run.id if subject.run else ""
    return [job for job in found if job.request["run"] == wanted]


def _wanted(job: Job, older: bool) -> MapView:
    error = job.error or ("It was stopped." if job.state == "stopped" else "")
    return MapView(
        job.request["key"],
        map_settings(**job.request["settings"]),
        job.who,
        "running" if job.state in job_rows.ACTIVE else "failed",
        job.created_at.timestamp(),
        job.id,
        error,
        older=older,
    )


def _made(entry: Path, subject: MapSubject) -> MapView | None:
    """A finished map by what is listed of it; None where it is none, or of what a run was before."""
    try:
        asked = fitted(_Asked, read_json(entry / "request.json", _MAP), _MAP)
        made = fitted(dict[str, Any], read_json(entry / "result.json", _MAP), _MAP)
        settings = map_settings(**asked.settings)
        created = (entry / "request.json").stat().st_mtime
    except (AvionError, TypeError, OSError):  # not there yet, or damaged: a map can always be computed again
        return None
    older = asked.inputs != subject.digest
    if (older and subject.run is not None) or not isinstance(made.get("map"), str):
        return None
    return MapView(entry.name, settings, asked.who, "finished", created, made=made["map"], older=older)


def _key(subject: MapSubject, settings: MapSettings) -> str:
    """The request's name: equal requests for an unchanged run or project are one job."""
    asked: dict[str, Any] = settings.layout | {
        "kinds": sorted(settings.kinds),
        "parts": sorted(settings.parts) if "image" in settings.kinds else [],
        "most_images": settings.most_images,
    }
    text = json.dumps({"inputs": subject.digest, **asked}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

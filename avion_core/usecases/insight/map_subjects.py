"""What a map is of: a run, or a project as it now stands, seen by its teacher before any run or beside them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from avion_core.config import RunConfig
from avion_core.data.project import ProjectData
from avion_core.jobs.devices import torch_device
from avion_core.jobs.inputs import run_inputs
from avion_core.store.home import Home
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.teacher_state import state_of
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.trained import trained_run
from avion_core.usecases.runs.views import RunView, get_run


@dataclass(frozen=True)
class OfProject:
    """The maps of a project itself: they need no run, and show what its teacher sees."""

    project: str
    """Its name or id."""


Of = str | OfProject
"""Whose maps: a run's, by its name, or a project's."""

# What decides a map, of a run's folder; its settings and the layout's library come on top.
_INPUTS = (
    "adapter.safetensors",
    "method.safetensors",
    "teacher.safetensors",
    "prototypes.parquet",
    "inputs/manifest.parquet",
    "inputs/descriptions.parquet",
    "inputs/splits.json",
    "inputs/project.json",
)
# A method of the teacher that trains nothing: its map shows the teacher's view alone.
_BY_THE_TEACHER = "text_prototypes"


@dataclass(frozen=True)
class MapSubject:
    """A run or a project, as its maps need it."""

    project_id: str
    run: RunView | None
    """None where the maps are the project's own."""
    folder: Path
    """Under its `maps` they are kept."""
    config: RunConfig
    digest: str
    """Another one whenever what is mapped changes."""

    @property
    def device(self) -> str:
        """Where a map is computed in this process, as torch calls it."""
        return torch_device(self.config.device)


@use_case
def map_subject(home: Home, of: Of, *, trained: bool = False) -> MapSubject:
    """Whose maps are asked for.

    Args:
        trained: a run has to be trained already.

    Raises:
        NotFoundError: no such run or project.
        TrainingError: a run that has not been trained yet.
    """
    if isinstance(of, OfProject):
        summary = get_project(home, of.project)
        config = run_config(home, summary.id)
        digest = state_of(home, summary, config)
        config = config.model_copy(update={"method": _BY_THE_TEACHER, "options": {}})
        return MapSubject(summary.id, None, home.project_folder(summary.id), config, digest)
    view = trained_run(home, of) if trained else get_run(home, of)
    return MapSubject(view.project_id, view, view.folder, view.config, _inputs_digest(view))


@use_case
def map_inputs(home: Home, subject: MapSubject) -> ProjectData:
    """What is mapped: the project as a run froze it, else as it now stands.

    Raises:
        DataError: a run's inputs are gone.
    """
    return freeze(home, subject.project_id) if subject.run is None else run_inputs(home, subject.run.id)


def _inputs_digest(view: RunView) -> str:
    digest = hashlib.sha256()
    for name in _INPUTS:
        file = view.folder / name
        if file.is_file():
            facts = file.stat()
            digest.update(f"{name} {_file_digest(file, facts.st_mtime_ns, facts.st_size)}\n".encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=256)
def _file_digest(file: Path, _modified: int, _size: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

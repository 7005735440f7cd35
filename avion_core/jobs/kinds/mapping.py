"""A map of a run, or of a project before any: where its images, descriptions and prototypes lie.

A thread beside the page would die with the server, and UMAP's compiled steps would hold the interpreter that serves
everybody. Nothing has to be saved on the way: embeddings are kept as they are made, and a layout is kept whole.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from avion_core.data.project import ProjectData
from avion_core.files import write_json
from avion_core.jobs.devices import torch_device
from avion_core.jobs.inputs import run_inputs
from avion_core.jobs.job import Context, JobKind
from avion_core.presets import parse_config
from avion_core.store.database import reading
from avion_core.store.runs import find_run
from avion_core.store.sources import image_source

INPUTS = "inputs"
"""Beside a project's map while it is computed: what is mapped, as it was when it was asked for."""


class MappingRequest(BaseModel):
    """A map that is wanted."""

    run: str = ""
    """Whose it is; "" of a project's own."""
    project: str = ""
    """Whose it is where it is no run's: what is mapped lies frozen beside the map, and `config` says by which rules."""
    config: dict[str, Any] | None = None
    key: str
    """Its name among the maps of its run or project."""
    inputs: str
    """A digest of what it shows."""
    settings: dict[str, Any]
    """As `maps.settings.MapSettings`."""
    device: str
    """As `RunConfig.device`."""


def compute_map(request: MappingRequest, context: Context) -> dict[str, Any]:
    """Lay out a map and keep it with its run."""
    from avion_core.maps.settings import map_settings  # imports torch and friends: seconds
    from avion_core.protocols.run_map import make_run_map

    home = context.home
    with reading(home.engine) as session:
        run = find_run(session, request.run) if request.run else None
    folder = home.run_folder(run.id) if run else home.project_folder(request.project)
    entry = made_folder(folder) / request.key
    if run is not None:
        config, inputs = parse_config(run.config), run_inputs(home, run.id)
    else:
        config = parse_config(request.config or {})
        inputs = ProjectData.load(entry / INPUTS, image_source(home, request.project))
    kept = make_run_map(
        inputs,
        config,
        folder,
        map_settings(**request.settings),
        features=home.features,
        weights=home.weights,
        device=torch_device(request.device),
        progress=context.progress_or_stop,
    )
    entry.mkdir(parents=True, exist_ok=True)
    write_json(entry / "request.json", request.model_dump() | {"who": context.job.who})
    write_json(entry / "result.json", {"map": kept.name})
    shutil.rmtree(entry / INPUTS, ignore_errors=True)
    return {"map": kept.name}


def made_folder(folder: Path) -> Path:
    """Where the finished maps of a run or a project are listed: a folder a map, by the key it was asked for under.

    It goes wherever that goes, as in a pack. request.json says what was asked for, result.json which kept map it is.

    Args:
        folder: the run's or the project's.
    """
    return folder / "maps" / "jobs"


MAPPING = JobKind("mapping", MappingRequest, compute_map, started_by="avion embed-map", doing="Computing a map")

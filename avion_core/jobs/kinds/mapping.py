"""A map of a run: where its images, descriptions and prototypes lie for the teacher and the student.

A thread beside the page would die with the server, and UMAP's compiled steps would hold the interpreter that serves
everybody. Nothing has to be saved on the way: embeddings are kept as they are made, and a layout is kept whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from avion_core.files import write_json
from avion_core.jobs.devices import torch_device
from avion_core.jobs.inputs import run_inputs
from avion_core.jobs.job import Context, JobKind
from avion_core.presets import parse_config
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.runs import find_run


class MappingRequest(BaseModel):
    """A map that is wanted."""

    run: str
    key: str
    """Its name among the run's maps."""
    inputs: str
    """A digest of the files of the run that it shows."""
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
        run = find_run(session, request.run)
        config = parse_config(run.config)
    folder = home.run_folder(run.id)
    kept = make_run_map(
        run_inputs(home, run.id),
        config,
        folder,
        map_settings(**request.settings),
        features=home.features,
        weights=home.weights,
        device=torch_device(request.device),
        progress=context.progress_or_stop,
    )
    entry = made_folder(home, run.id) / request.key
    entry.mkdir(parents=True, exist_ok=True)
    write_json(entry / "request.json", request.model_dump() | {"who": context.job.who})
    write_json(entry / "result.json", {"map": kept.name})
    return {"map": kept.name}


def made_folder(home: Home, run_id: str) -> Path:
    """Where a run lists its finished maps: a folder a map, by the key it was asked for under.

    It goes wherever the run goes, as in a pack. request.json says what was asked for, result.json which kept map it is.
    """
    return home.run_folder(run_id) / "maps" / "jobs"


MAPPING = JobKind("mapping", MappingRequest, compute_map, started_by="avion embed-map", doing="Computing a map")

"""Alignment: where a run's images, descriptions and prototypes lie for the teacher and the student."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.data.progress import Progress
from avion_core.errors import DataError
from avion_core.maps.alignment_map import alignment_map, map_key
from avion_core.maps.project import Method
from avion_core.protocols import predict as prediction
from avion_core.protocols.project_data import ProjectData
from avion_core.store.home import Home
from avion_core.studio.trained import trained_run

VIEWS = ("teacher", "before", "after")


@dataclass(frozen=True)
class MapResult:
    """A map, and the folder in which it is kept.

    points: a row per item and view: id, kind (image, description or prototype), class_key, split, kept, text, path,
    view, x, y, correct. figures: a row per view: view, alignment, uniformity, modality_gap.
    """

    points: pd.DataFrame
    figures: pd.DataFrame
    folder: Path


def embed_map(
    home: Home,
    run: str,
    method: Method = "umap",
    views: Sequence[str] = VIEWS,
    settings: dict[str, Any] | None = None,
    *,
    progress: Progress | None = None,
) -> MapResult:
    """Lay out a run's images, descriptions and prototypes as teacher and student see them.

    The sealed test set is never on a map. A map of the same content and settings is laid out once.

    Args:
        views: of "teacher", "before" and "after".
        settings: `seed` and `neighbours`, as `maps.project` takes them.

    Raises:
        NotFoundError, TrainingError: no such run, or it has not been trained yet.
        ConfigError, DataError: a method, view or setting that there is not.
    """
    view = trained_run(home, run)
    project = ProjectData.load(view.folder / "inputs")
    items, seen = prediction.map_items(project, view.config, view.folder, features=home.features, weights=home.weights)
    items["path"] = [str(project.image_root / path) if path else "" for path in items["path"]]
    if unknown := [name for name in views if name not in seen]:
        raise DataError("there is no such view", f"Choose from {', '.join(seen)}.", value=", ".join(unknown))
    seen = {name: seen[name] for name in views}
    chosen: dict[str, Any] = {"method": method, "seed": 0, "neighbours": None, **(settings or {})}
    folder = view.folder / "maps" / map_key(items, seen, **chosen)
    if not folder.is_dir():
        laid_out = alignment_map(items, seen, **chosen, progress=progress)
        _keep({"points": laid_out.points, "figures": laid_out.figures}, folder)
    return MapResult(pd.read_parquet(folder / "points.parquet"), pd.read_parquet(folder / "figures.parquet"), folder)


def _keep(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    unfinished.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(unfinished / f"{name}.parquet", index=False)
    try:
        os.replace(unfinished, folder)
    except OSError:
        if not folder.is_dir():  # else another process has just kept the same map
            raise

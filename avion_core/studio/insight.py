"""Insight: how good a trained student is, where everything lies, and what it says of new images."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from avion_core.data.progress import Progress
from avion_core.data.scan import SUFFIXES
from avion_core.errors import DataError, TrainingError
from avion_core.maps.alignment_map import alignment_map, map_key
from avion_core.maps.project import Method
from avion_core.protocols import predict as prediction
from avion_core.protocols.evaluate import evaluate
from avion_core.protocols.project_data import ProjectData
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.tables import Look
from avion_core.studio.training import RunView, get_run

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


def evaluate_run(
    home: Home, run: str, split: str = "validation", who: str = "me", *, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure a trained run (see `protocols.evaluate`); the figures are kept in its folder as well.

    Args:
        split: "validation", or "test": the sealed set. Asking for it is written down as a look by `who`, before any
            figure is made; `looks` in the answer counts them.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has not been trained yet.
        DataError: no such split, or no images in it.
    """
    if split not in ("validation", "test"):
        raise DataError("there is no such split", "Choose validation or test.", value=split)
    view = _trained_run(home, run)
    if split == "test":
        with writing(home.engine) as session:
            session.add(Look(run_id=view.id, who=who))
    figures = evaluate(
        ProjectData.load(view.folder / "inputs"),
        view.config,
        view.folder,
        split,
        features=home.features,
        weights=home.weights,
        device=_device(view),
        progress=progress,
    )
    result = {"run_id": view.id, "state": view.state, "looks": get_run(home, view.id).looks, **figures}
    unfinished = view.folder / f"results-{split}.json.part"
    unfinished.write_text(json.dumps(result), encoding="utf-8")
    os.replace(unfinished, view.folder / f"results-{split}.json")
    return result


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
    view = _trained_run(home, run)
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


def predict(home: Home, run: str, paths: Sequence[Path], *, progress: Progress | None = None) -> pd.DataFrame:
    """Classify images with a trained student, through the project's rendering recipe.

    Args:
        paths: image files, and folders whose images are meant.

    Returns:
        One row per image: path, class_key, prompt_name, probability, margin (to the runner-up), runner_up, and
        `p_CLASS` per class.

    Raises:
        NotFoundError, TrainingError: no such run, or it has not been trained yet.
        DataError: a path that is not there, a folder without images, or a file that cannot be decoded.
    """
    files = [file for path in paths for file in _image_files(Path(path))]
    view = _trained_run(home, run)
    student = prediction.load_student(view.config, view.folder, home.weights, device=_device(view))
    recipe = ProjectData.load(view.folder / "inputs").recipe
    table = prediction.predict(student, files, recipe, progress=progress).rename(columns={"predicted": "class_key"})
    table.insert(2, "prompt_name", [student.class_names[key] for key in table["class_key"]])
    return table


def _trained_run(home: Home, run: str) -> RunView:
    """A run that has a student to show: finished, or stopped after its first save."""
    view = get_run(home, run)
    if view.state not in ("finished", "stopped") or not (view.folder / "adapter.safetensors").is_file():
        way_out = "Wait until it is finished." if view.state in ("queued", "running") else "Resume it first."
        raise TrainingError(f"run {view.id} has no trained student to show", way_out, value=view.state)
    return view


def _device(view: RunView) -> str:
    return "cuda" if view.config.device != "cpu" and torch.cuda.is_available() else "cpu"


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


def _image_files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not found:
            raise DataError("the folder holds no picture", f"Pictures end in {', '.join(SUFFIXES)}.", value=str(path))
        return found
    if not path.is_file():
        raise DataError("the image is not there", "Check the path.", value=str(path))
    return [path]

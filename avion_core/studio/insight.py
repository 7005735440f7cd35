"""Insight: how good a trained student is, and what it says of new images."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.data.progress import Progress
from avion_core.data.scan import SUFFIXES
from avion_core.errors import DataError
from avion_core.protocols import predict as prediction
from avion_core.protocols.evaluate import evaluate
from avion_core.protocols.project_data import ProjectData
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.tables import Look
from avion_core.studio.trained import run_device, trained_run
from avion_core.studio.training import get_run


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
    view = trained_run(home, run)
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
        device=run_device(view),
        progress=progress,
    )
    result = {"run_id": view.id, "state": view.state, "looks": get_run(home, view.id).looks, **figures}
    unfinished = view.folder / f"results-{split}.json.part"
    unfinished.write_text(json.dumps(result), encoding="utf-8")
    os.replace(unfinished, view.folder / f"results-{split}.json")
    return result


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
    view = trained_run(home, run)
    student = prediction.load_student(view.config, view.folder, home.weights, device=run_device(view))
    recipe = ProjectData.load(view.folder / "inputs").recipe
    table = prediction.predict(student, files, recipe, progress=progress).rename(columns={"predicted": "class_key"})
    table.insert(2, "prompt_name", [student.class_names[key] for key in table["class_key"]])
    return table


def _image_files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not found:
            raise DataError("the folder holds no picture", f"Pictures end in {', '.join(SUFFIXES)}.", value=str(path))
        return found
    if not path.is_file():
        raise DataError("the image is not there", "Check the path.", value=str(path))
    return [path]

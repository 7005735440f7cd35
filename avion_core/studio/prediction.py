"""Prediction: what a trained student says of new images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from avion_core.data.progress import Progress
from avion_core.data.scan import SUFFIXES
from avion_core.errors import DataError
from avion_core.protocols import predict as prediction
from avion_core.protocols.project_data import ProjectData
from avion_core.store.home import Home
from avion_core.studio.trained import run_device, trained_run


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

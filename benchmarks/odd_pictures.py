"""How often pictures are called far from everything known: of the project's own kind, and of other kinds.

    python benchmarks/odd_pictures.py [--quick]

A student is trained on the demo at one and at four shots. Its own kind are the demo's images that are neither used nor
sealed; of other kinds are the bundled EuroSAT tiles and parts of the two photographs that come with scikit-learn.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from avion_core.actor import ALONE
from avion_core.bundled import demo_folder
from avion_core.metrics.accuracy import wilson_interval
from avion_core.store.home import Home
from avion_core.usecases.insight.prediction import predict
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here

_SIDE, _PARTS = 256, 12


def main() -> None:
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        home, photographs = Home(Path(folder) / "home", ALONE), _photographs(Path(folder) / "photographs")
        project = get_project(home, open_demo(home).id)
        manifest, splits = read_manifest(home, project.id), read_splits(home, project.id)
        tiles = sorted(path for path in (demo_folder() / "eurosat" / "images").rglob("*") if path.is_file())[::10]
        print("shots  pictures      called far      of  percent, 95 % interval")
        for shots in (1,) if quick else (1, 4):
            settings = {"data.shots": shots} | ({"distillation.epochs": 1} if quick else {})
            run = create_run(home, project.id, "demo", settings)
            run_here(home, run, threading.Event())
            drawn = (splits.shots(1, shots), splits.validation_images(1, shots))
            used = {image for by_class in drawn for images in by_class.values() for image in images}
            rest = manifest[~manifest["image_id"].isin([*used, *splits.test])]["path"]
            own = [project.image_root / path for path in rest][: 40 if quick else None]
            for kind, files in (("own kind", own), ("EuroSAT", tiles), ("photographs", photographs)):
                far = _far(home, run, files)
                low, high = wilson_interval(far, len(files))
                share = f"{100 * far / len(files):.1f} ({low:.1f} to {high:.1f})"
                print(f"{shots:5}  {kind:12}  {far:10}  {len(files):6}  {share}", flush=True)


def _far(home: Home, run: str, files: Sequence[Path]) -> int:
    return int(predict(home, run, files).table["odd"].str.contains("far from").sum())


def _photographs(folder: Path) -> list[Path]:
    """Parts of a temple and of a flower, drawn by a seed."""
    folder.mkdir()
    draw, files = np.random.default_rng(0), []
    for number, pixels in enumerate(load_sample_images().images):
        height, width = pixels.shape[:2]
        for part in range(_PARTS):
            left, top = draw.integers(0, width - _SIDE), draw.integers(0, height - _SIDE)
            files.append(folder / f"{number}-{part:02d}.png")
            Image.fromarray(pixels[top : top + _SIDE, left : left + _SIDE]).save(files[-1])
    return files


if __name__ == "__main__":
    main()

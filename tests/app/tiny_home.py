"""A small real project for the app's tests: three classes of the bundled EuroSAT images and the bundled demo models."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from avion_core.actor import ALONE
from avion_core.backbones.load import WeightStore
from avion_core.bundled import demo_folder
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here

CLASSES = ("Forest", "Residential", "SeaLake")
IMAGES, TEXTS = 12, 9
HOSTILE = "<img src=x onerror=alert(1)> Aerial view of **dense** forest & $x$ with a closed dark canopy."

NAME = "tiny"
PAIR = {"teacher": "demo-teacher", "student": "demo-student"}
DEFAULTS = {
    "data": {"shots": 2},
    "distillation": {"epochs": 3, "batch_size": 3, "learning_rate": 5e-3, "validate_every": 1, "precision": "float32"},
}


def need_demo_weights(folder: Path) -> None:
    if WeightStore(folder).path("demo-student") is None:
        pytest.skip("needs demo/weights (made by tools/pretrain_demo.py)")


def make_home(folder: Path, *, trained: bool) -> Home:
    """A home with the project "tiny", its descriptions and, when asked, one finished run."""
    need_demo_weights(folder)
    home = Home(folder / "home", ALONE)
    project = add_project(home, folder, NAME, CLASSES)
    if trained:
        run_here(home, create_run(home, project, name="a finished run"), threading.Event())
    return home


def add_project(home: Home, folder: Path, name: str, classes: Sequence[str]) -> str:
    """A described project of some EuroSAT classes, its images in `folder`; returns its id."""
    eurosat = demo_folder() / "eurosat"
    for key in classes:
        target = folder / "images" / key
        target.mkdir(parents=True)
        for picture in sorted((eurosat / "images" / key).iterdir())[:IMAGES]:
            shutil.copy(picture, target)
    texts = dict.fromkeys(classes, ())
    for line in (eurosat / "descriptions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["class_key"] in texts and len(texts[row["class_key"]]) < TEXTS - (row["class_key"] == "Forest"):
            texts[row["class_key"]] = (*texts[row["class_key"]], row["text"])
    found = [{"class": key, "text": text, "writer": "tests"} for key, of_class in texts.items() for text in of_class]
    # As a studio's own row, with a history: of others, markup is taken off.
    found.insert(0, {"class": "Forest", "text": HOSTILE, "writer": "tests", "history": []})
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, found)), encoding="utf-8")
    project = create_project(home, name, folder / "images", defaults=DEFAULTS, **PAIR)
    import_descriptions(home, project.id, folder / "texts.jsonl")
    return project.id

"""Make what the demo projects come with: embeddings, a finished run with its evaluation, and a map.

    python tools/ship_demo_results.py --work build/demo-home

Opens the demo in a home of its own, trains one student with the project's own settings and no verdict given, evaluates
it on the validation images, maps it, and embeds the pool's images and all texts. Writes demo/NAME/computed. Nothing of
the sealed test set is in it. What the work folder holds already is not made again.
"""

from __future__ import annotations

import argparse
import shutil
import threading
from pathlib import Path

from avion_core.actor import ALONE
from avion_core.backbones.towers import Towers
from avion_core.bundled import demo_folder
from avion_core.data.sources import Images
from avion_core.features.store import image_features
from avion_core.files import write_json
from avion_core.jobs import worker
from avion_core.jobs.executors import EXECUTORS
from avion_core.jobs.executors.local import LocalExecutor
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.runs import find_run
from avion_core.store.sources import image_source
from avion_core.store.tables import Job
from avion_core.usecases.curation import curation_table
from avion_core.usecases.insight.alignment import MapSettings, start_map
from avion_core.usecases.insight.classifiers import open_student, teacher_classifier
from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.projects.creating import Demo, open_demo
from avion_core.usecases.projects.demo_results import (
    FOLDER,
    Shipped,
    ShippedRun,
    made_from,
    ship_features,
    shown_items,
)
from avion_core.usecases.projects.summaries import ProjectSummary
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import RunView, list_runs

NAME = "Comes with the demo"
PRECISION = "float32"
"""Of image embeddings: what a processor without units for bfloat16 takes (`backbones.towers.resolve_precision`). Others
embed the pictures themselves, which takes seconds; texts, which took a minute, are the same for all."""
LEFT_BEHIND = ("log*", "state.*", "*.tmp")
"""Of a run's folder: how it went on the machine that trained it, and what a resume would need."""


class _Here(LocalExecutor):
    """Does a job while it is submitted."""

    def submit(self, home: Home, job: Job) -> None:
        worker.work(home, job.id, threading.Event(), attempt=job.attempt)


def trained(home: Home, project: ProjectSummary) -> RunView:
    """The run, made where the home has none that is finished."""
    runs = [run for run in list_runs(home, project.id) if run.state == "finished"]
    if runs:
        return runs[0]
    return run_here(home, create_run(home, project.id, name=NAME, here=True), threading.Event())


def embed(home: Home, project: ProjectSummary, run: RunView) -> None:
    """Have everything embedded that pages look at."""
    shown, _ = shown_items(home, project.id)
    student = open_student(home, run)
    towers: list[Towers] = [open_towers(home, project.teacher), student.towers.backbone, student.towers]
    images = Images(shown, image_source(home, project.id))
    for tower in towers:
        image_features(tower, images, home.features, recipe=project.recipe, precision=PRECISION)
    curation_table(home, project.id)
    teacher_classifier(home, project.id)


def ship(home: Home, which: Demo) -> None:
    """Train, evaluate and map in the home, and write demo/WHICH/computed."""
    project = open_demo(home, which, results=False)
    run = trained(home, project)
    evaluate_run(home, run.id)
    start_map(home, run.id, MapSettings())
    embed(home, project, run)
    with reading(home.engine) as session:
        row = find_run(session, run.id)
        shipped = ShippedRun(
            name=row.name,
            config=run.config,
            origin=row.origin,
            rule_version=row.rule_version,
            step=row.step,
            steps=row.steps,
            epoch=row.epoch,
            accuracy=row.accuracy,
            summary=row.summary or {},
            device=row.job.device,
            began=row.job.started_at or row.job.created_at,
            ended=row.job.ended_at or row.job.created_at,
        )
    folder = demo_folder() / which
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    shutil.copytree(run.folder, folder / FOLDER / "run", ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    reader = open_towers(home, project.teacher).weights_hash
    ship_features(home, *shown_items(home, project.id), reader, folder / FOLDER / "features")
    about = Shipped(made_from=made_from(home, project.id, folder, run.config), run=shipped)
    write_json(folder / FOLDER / "about.json", about.model_dump(mode="json"), indent=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="A home that is kept between calls.")
    parser.add_argument("--demo", default="ucmerced", choices=["ucmerced", "eurosat"])
    asked = parser.parse_args()
    EXECUTORS["local"] = _Here()
    ship(Home(asked.work, ALONE), asked.demo)


if __name__ == "__main__":
    main()

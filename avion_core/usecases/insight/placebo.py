"""Placebo tests of a project's descriptions: asked for, found again, and read (see `protocols.placebo`)."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sqlalchemy import func, select

from avion_core.config import RunConfig
from avion_core.data.project import DESCRIPTION_COLUMNS, ProjectData, save_inputs
from avion_core.descriptions.placebo import CONTROLS
from avion_core.errors import DataError, NotFoundError
from avion_core.jobs import worker
from avion_core.jobs.job import Listener
from avion_core.jobs.kinds.placebo import ANSWERS_FILE, INPUTS, PlaceboRequest
from avion_core.jobs.reconcile import reconcile
from avion_core.jobs.submit import submit_new
from avion_core.protocols.placebo import ANSWERS, Placebo, Verdict, described_classes, outside_images
from avion_core.reading import Subject, read_parquet
from avion_core.store import jobs as job_rows
from avion_core.store import journal
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.tables import JournalEntry, new_id
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.evaluation import check_split
from avion_core.usecases.jobs import JobView, job_view
from avion_core.usecases.policies import TRAIN, UNSEAL, demand, use_case
from avion_core.usecases.projects.freeze import freeze

DRAWS = 5
_NEWEST = 200
_LOOKED = "Opened the sealed test set for a placebo test of the descriptions."
_ANSWERS = Subject("the answers of a placebo test", hint="Run the placebo test again.")


@dataclass(frozen=True)
class PlaceboResult:
    """A placebo test that was measured."""

    job: JobView
    config: RunConfig
    split: str
    draws: int
    figures: pd.DataFrame
    """See `Placebo.figures`."""
    overall: list[Verdict]
    """One verdict for each judge."""
    by_class: dict[str, list[Verdict]]
    """Judge -> a verdict for each class."""
    left_out: dict[str, str]
    outdated: bool
    """Descriptions, verdicts, rules or labels have changed since."""
    looks: int
    """How often the sealed test set was opened for such a test of the project."""

    @property
    def statement(self) -> str:
        """What it was measured on."""
        images = self.overall[0].images if self.overall else 0
        which = "sealed test images" if self.split == "test" else "labelled images outside shots and test set"
        return (
            f"{self.config.data.shots} shots of seed {self.config.data.seed}, {images:,} {which}, "
            f"{self.draws} draws of what is random; intervals of 95 % over images and draws."
        )


@use_case
def start_placebo(
    home: Home,
    project: str,
    config: RunConfig | None = None,
    *,
    students: bool = False,
    split: str = "validation",
    draws: int = DRAWS,
    here: bool = False,
    wait: bool = False,
) -> str:
    """Have a project's descriptions held against placebos by a job; returns its id.

    Where the same is under way or was measured already, that job is returned. On the sealed test set it is a look,
    which the journal counts.

    Args:
        config: shots, seed, models and rules; None takes those in force.
        students: train a student under each control, too.
        draws: of the controls that are drawn by chance.
        here: this very process will do it (`placebo_here`). wait: let the jobs before it in the queue go first.

    Raises:
        NotFoundError: no such project, or weights that are not installed.
        RightsError: the actor may not train, or not open the sealed set.
        DataError: too few classes with images and descriptions, no image to measure on, or no such split.
    """
    check_split(split)
    if students:
        demand(home.actor, TRAIN)
    if split == "test":
        demand(home.actor, UNSEAL)
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
    config = _few_shot(config or run_config(home, project_id))
    frozen = freeze(home, project_id)
    classes = described_classes(frozen, config)
    if not outside_images(frozen, config, classes, split).image_ids:
        what = "there is no labelled image outside the shots and the test set" if split == "validation" else (
            "there is no sealed test image of these classes"
        )  # fmt: skip
        raise DataError(what, "Label more images of each class, or take fewer shots.", value=frozen.name)
    for model in {config.teacher, *([config.student] if students else [])}:
        home.weights.need(model)
    if split == "test":
        with writing(home.engine) as session:
            journal.note(session, project_id, "training", _LOOKED, home.actor.name)
    request = PlaceboRequest.model_validate(
        {
            "config": config.model_dump(mode="json"),
            "inputs": _digest(frozen),
            "students": students,
            "split": split,
            "draws": draws,
        }
    )
    for job in _jobs(home, project_id):
        if job.state == "finished" and job.request == request.model_dump(mode="json") and _answers_of(job).is_file():
            return job.id
    job_id = new_id()
    save_inputs(home.path / "jobs" / job_id / INPUTS, frozen)
    return submit_new(
        home,
        "placebo",
        request,
        who=home.actor.name,
        project_id=project_id,
        device=config.device,
        job_id=job_id,
        here=here,
        turn="queue" if wait else "free",
    )


@use_case
def placebo_here(home: Home, job_id: str, stop: threading.Event, listener: Listener | None = None) -> str:
    """Do a placebo test in this process, unless it was measured already; returns "finished" or "stopped"."""
    with reading(home.engine) as session:
        state = job_rows.find_job(session, job_id).state
    return state if state == "finished" else worker.work(home, job_id, stop, listener)


@use_case
def placebo_job(home: Home, project: str) -> JobView | None:
    """The newest placebo test of a project, however it stands; None where there was none.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
    return next(iter(_jobs(home, project_id)), None)


@use_case
def read_placebo(home: Home, project: str, job_id: str = "") -> PlaceboResult | None:
    """What a placebo test found: of the newest that is finished, or of a certain one. None where none is finished.

    Raises:
        NotFoundError: no such project, or the job is no placebo test of it.
        DataError: its file is damaged.
    """
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
        looked = select(func.count()).where(JournalEntry.project_id == project_id, JournalEntry.sentence == _LOOKED)
        looks = session.scalar(looked) or 0
    finished = [job for job in _jobs(home, project_id) if job.state == "finished" and _answers_of(job).is_file()]
    if job_id and job_id not in [job.id for job in finished]:
        raise NotFoundError("the project has no such finished placebo test", "Run it again.", value=job_id)
    job = next((one for one in finished if one.id == job_id or not job_id), None)
    if job is None:
        return None
    request = PlaceboRequest.model_validate(job.request)
    answers = read_parquet(_answers_of(job), _ANSWERS, list(ANSWERS))
    frozen = freeze(home, project_id)
    names = ProjectData.load(job.folder / INPUTS, frozen.source).class_names
    found = Placebo(answers, {key: name for key, name in names.items() if key in set(answers["class_key"])})
    config = RunConfig.model_validate(request.config)
    now = _few_shot(run_config(home, project_id)), _digest(frozen)
    rules = ("prototypes", "descriptions", "teacher")
    changed = any(getattr(now[0], name) != getattr(config, name) for name in rules) or now[1] != request.inputs
    return PlaceboResult(
        job=job,
        config=config,
        split=request.split,
        draws=request.draws,
        figures=found.figures().assign(title=lambda t: t["control"].map({k: c.title for k, c in CONTROLS.items()})),
        overall=[found.verdict(judge) for judge in found.judges],
        by_class={judge: found.verdicts(judge) for judge in found.judges},
        left_out=job.result.get("left_out", {}),
        outdated=changed,
        looks=looks,
    )


def _few_shot(config: RunConfig) -> RunConfig:
    """All classes are asked about, whatever protocol the project's runs take."""
    return config.model_copy(update={"protocol": config.protocol.model_copy(update={"name": "few-shot"})})


def _jobs(home: Home, project_id: str) -> list[JobView]:
    reconcile(home)
    with reading(home.engine) as session:
        found = list(job_rows.list_jobs(session, kinds=("placebo",), project_id=project_id, most=_NEWEST))
    return [job_view(home, job) for job in found]


def _answers_of(job: JobView) -> Path:
    return job.folder / ANSWERS_FILE


def _digest(frozen: ProjectData) -> str:
    """Of all that a placebo test is measured with but settings and pictures."""
    said = [
        frozen.descriptions[DESCRIPTION_COLUMNS].to_json(),
        frozen.manifest[["image_id", "label"]].to_json(),
        frozen.splits.to_json(),
        json.dumps(frozen.class_names),
        frozen.recipe.model_dump_json(),
    ]
    return hashlib.sha256("\n".join(map(str, said)).encode()).hexdigest()[:32]

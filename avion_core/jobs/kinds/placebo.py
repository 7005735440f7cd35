"""Placebo: a project's descriptions held against controls, for the teacher's prototypes and, if wanted, for students.

Answers are saved control by control: one that was stopped goes on with those that are missing, and a training with its
last step.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import BaseModel, Field

from avion_core.errors import PrototypeError
from avion_core.jobs.devices import torch_device
from avion_core.jobs.job import Context, JobKind, Stopped
from avion_core.presets import parse_config
from avion_core.reading import Subject, read_json, read_parquet
from avion_core.store.sources import image_source

if TYPE_CHECKING:
    from avion_core.config import RunConfig
    from avion_core.data.project import LabelledImages, ProjectData

INPUTS, ANSWERS_FILE, LEFT_OUT = "inputs", "answers.parquet", "left_out.json"
_ANSWERS = Subject("the answers of a placebo test", hint="Run the placebo test again.")
_LEFT_OUT = Subject("the record of a placebo test", hint="Run the placebo test again.")


class PlaceboRequest(BaseModel):
    """A placebo test that is wanted."""

    config: dict[str, Any]
    """As `RunConfig`; the project's texts and images lie in the job's folder."""
    inputs: str
    """A digest of them."""
    students: bool
    """Train a student under each control as well."""
    split: Literal["validation", "test"]
    draws: int = Field(ge=1, le=100)
    """Of the controls that are drawn by chance; a student is trained on the first."""


def measure_placebo(request: PlaceboRequest, context: Context) -> dict[str, Any]:
    """Measure what is missing."""
    from avion_core.data.project import ProjectData
    from avion_core.descriptions.placebo import CONTROLS, OWN
    from avion_core.methods.bench import Bench  # imports torch: seconds
    from avion_core.protocols.placebo import controlled, described_classes, outside_images, prototype_answers

    home, project_id = context.home, context.job.project_id
    assert project_id is not None
    config = parse_config(request.config)
    frozen = ProjectData.load(context.folder / INPUTS, image_source(home, project_id))
    classes = described_classes(frozen, config)
    project, _ = controlled(frozen, config, classes, OWN)
    images = outside_images(frozen, config, classes, request.split)
    kept = context.folder / ANSWERS_FILE
    if not kept.is_file():
        bench = Bench(
            config,
            features=home.features,
            weights=home.weights,
            device=torch_device(config.device),
            progress=context.progress_or_stop,
        )
        answers, unread = prototype_answers(project, config, images, bench, draws=request.draws, told=context.stage)
        _save(context, answers)
        context.save(LEFT_OUT, json.dumps(unread))
    left_out: dict[str, str] = read_json(context.folder / LEFT_OUT, _LEFT_OUT)
    for control in CONTROLS if request.students else ():
        answers = read_parquet(kept, _ANSWERS)
        if ((answers["judge"] == "student") & (answers["control"] == control)).any():
            continue
        context.stage(f"a student with {CONTROLS[control].title}")
        try:
            found = _student(project, config, images, control, context)
        except PrototypeError as error:  # a class without any text left
            left_out[f"a student with {CONTROLS[control].title}"] = str(error)
            context.log(str(error))
            continue
        _save(context, pd.concat([answers, found], ignore_index=True))
    return {"images": len(images.image_ids), "classes": len(classes), "left_out": left_out}


def _student(
    project: ProjectData, config: RunConfig, images: LabelledImages, control: str, context: Context
) -> pd.DataFrame:
    """Train a student on a control's texts, and ask it."""
    import torch

    from avion_core.experiment import Metrics, run_experiment
    from avion_core.experiment import Stopped as TrainingStopped
    from avion_core.methods import find_method
    from avion_core.methods.bench import Bench
    from avion_core.protocols.placebo import answer_rows, controlled

    home, classes = context.home, list(project.class_names)
    other, rules = controlled(project, config, classes, control, config.data.seed)
    folder = context.folder / "students" / control
    given = {"features": home.features, "weights": home.weights}
    for event in run_experiment(
        other, rules, folder, **given, should_stop=context.should_stop, progress=context.progress_or_stop
    ):
        match event:
            case TrainingStopped():
                raise Stopped
            case Metrics(step=step, steps=steps):
                context.progress(step, steps, "training steps")
    method = find_method(rules.method)(Bench(rules, **given, device=torch_device(rules.device)), rules.options)
    method.load(folder)
    said = method.logits(other, images.image_ids, classes).argmax(1)
    return answer_rows("student", control, 0, images, classes, said == torch.tensor(images.labels))


def _save(context: Context, answers: pd.DataFrame) -> None:
    context.save(ANSWERS_FILE, answers.to_parquet(index=False))


PLACEBO = JobKind(
    "placebo",
    PlaceboRequest,
    measure_placebo,
    started_by="avion placebo",
    doing="Holding descriptions against placebos",
)

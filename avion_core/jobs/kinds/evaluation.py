"""Evaluation: measuring trained runs and what stands beside them, a run at a time.

Embeddings are kept as they are made and a report is kept whole, so one that was stopped goes on with the runs that lack
a report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from avion_core.jobs.devices import torch_device
from avion_core.jobs.inputs import other_inputs, run_inputs
from avion_core.jobs.job import Context, JobKind, Stopped
from avion_core.presets import parse_config
from avion_core.progress import Progress
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.runs import find_run

if TYPE_CHECKING:
    from avion_core.protocols.report import Report


class EvaluationRequest(BaseModel):
    """Figures that are wanted: run -> the step of its training at which it is asked about, and the split."""

    runs: dict[str, int]
    split: Literal["validation", "test"]


def evaluate_runs(request: EvaluationRequest, context: Context) -> dict[str, Any]:
    """Measure the runs whose present student has no report yet."""
    from avion_core.protocols.harness import MeasuringStopped  # imports torch: seconds

    measured = 0
    for number, run in enumerate(request.runs, 1):
        context.stage(f"measuring run {run} ({number} of {len(request.runs)})")
        if is_measured(context.home, run, request.split):
            continue
        try:
            measure_run(context.home, run, request.split, context.progress_or_stop, context.should_stop)
        except MeasuringStopped:
            raise Stopped from None
        measured += 1
    return {"measured": measured}


def measure_run(
    home: Home,
    run_id: str,
    split: str,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Measure a trained run (see `protocols.harness`); the report is kept in its folder as well.

    Raises:
        NotFoundError: no such run.
        AvionError: an unfinished run, another backbone, or images that are gone.
        MeasuringStopped: `should_stop` said so.
    """
    from avion_core.protocols.harness import evaluate
    from avion_core.protocols.report import at_step

    with reading(home.engine) as session:
        run = find_run(session, run_id)
    config, folder = parse_config(run.config), home.run_folder(run.id)
    report = evaluate(
        run_inputs(home, run.id),
        config,
        folder,
        split,
        others=other_inputs(home, run.id),
        features=home.features,
        weights=home.weights,
        device=torch_device(config.device),
        progress=progress,
        should_stop=should_stop,
    )
    report = at_step(report, run.step)
    report.save(folder)
    return report


def is_measured(home: Home, run_id: str, split: str) -> bool:
    """Whether a run's present student has a report of a split."""
    from avion_core.protocols.report import load_report

    with reading(home.engine) as session:
        run = find_run(session, run_id)
    report = load_report(home.run_folder(run.id), split)
    return report is not None and report.step == run.step


EVALUATION = JobKind(
    "evaluation", EvaluationRequest, evaluate_runs, started_by="avion evaluate", doing="Evaluating a student"
)

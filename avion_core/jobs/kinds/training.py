"""Training a student: the experiment's events become the run's figures, its curves and its log."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from avion_core.errors import TrainingError
from avion_core.jobs.curves import CurveFile
from avion_core.jobs.devices import be_exact, bytes_held, device_name
from avion_core.jobs.inputs import other_inputs, run_inputs
from avion_core.jobs.job import Context, JobKind, Stopped
from avion_core.machine import OthersAtWork
from avion_core.presets import parse_config
from avion_core.store import journal
from avion_core.store.database import reading
from avion_core.store.runs import find_run
from avion_core.store.tables import Job, Run

if TYPE_CHECKING:
    from avion_core.experiment import Event


class TrainingRequest(BaseModel):
    """A training's settings are its run's (`runs.config`), its inputs lie frozen in its folder."""


def train(_: TrainingRequest, context: Context) -> dict[str, Any]:
    """Run the experiment; returns its summary."""
    from avion_core import experiment  # imports torch: seconds

    with reading(context.home.engine) as session:
        config = parse_config(find_run(session, context.job.id).config)
    device = device_name(config.device)
    be_exact(device)
    context.note_job(device=device)
    with CurveFile(context.folder) as curves:
        record = _Recorder(context, curves, device)
        events = experiment.run_experiment(
            run_inputs(context.home, context.job.id),
            config,
            context.folder,
            others=other_inputs(context.home, context.job.id),
            features=context.home.features,
            weights=context.home.weights,
            should_stop=context.should_stop,
            progress=record.preparing,
        )
        for event in events:
            record.event(event)
            match event:
                case experiment.Finished(summary=summary):
                    return summary | {OTHERS: record.others_at_work}
                case experiment.Stopped():
                    raise Stopped
    raise TrainingError("the training ended without a result", "Read the run's log, and please report it.")


OTHERS = "others_at_work"
"""In a run's summary: see `_Recorder.others_at_work`. What a step took on a quiet machine is reckoned with it."""


class _Recorder:
    """Writes down what an experiment tells: figures to the heartbeat and the curves, words to the log."""

    def __init__(self, context: Context, curves: CurveFile, device: str) -> None:
        self._context, self._curves, self._device = context, curves, device
        self._began = self._prepared = time.monotonic()
        self._first_step: int | None = None
        self._peak = 0
        self._watch = OthersAtWork()
        self.others_at_work: float | None = None
        """Share of the processors that other programs took during the steps of this process; None where not known."""

    def preparing(self, done: int, total: int, what: str) -> None:
        # Embeddings that were made are kept, and there is no training to save yet: a stop ends it here.
        self._weigh()
        self._context.progress_or_stop(done, total, what)

    def event(self, event: Event) -> None:
        from avion_core.experiment import Finished, Metrics, Saved, Stage, Stopped

        context = self._context
        self._weigh()
        match event:
            case Stage(message=message):
                self._prepared, self._watch = time.monotonic(), OthersAtWork()
                context.note_job(done=0, total=0, what="", expected_end=None)
                context.stage(message)
            case Metrics(step=step, steps=steps, epoch=epoch, values=values):
                self._curves.write(step, epoch, values)
                self._pace(step)
                self.others_at_work = self._watch.share()
                context.note(step=step, steps=steps, epoch=epoch)
                context.progress(step, steps, "training steps")
                if "validation_accuracy" in values:
                    context.note(accuracy=values["validation_accuracy"])
            case Saved(kind=kind, path=path):
                context.log(f"saved {kind}: {path.name}")
            case Stopped(step=step, steps=steps):
                context.log(f"asked to stop: saved at step {step} of {steps}")
            case Finished(summary=summary):
                # A run that was killed after its last save goes on at its end, and tells no step any more.
                reached = summary.get("validation_accuracy")
                context.note(step=summary["steps"], steps=summary["steps"])
                if reached is not None:
                    context.note(accuracy=reached)
                context.log(f"summary: {json.dumps(summary)}")
        context.tell(event)

    def _pace(self, step: int) -> None:
        """How long a step takes in this process."""
        if self._first_step is None:
            self._first_step = step
            self._context.note(preparation_seconds=self._prepared - self._began)
        # Since the stage "training" began, which no other stage follows.
        each = (time.monotonic() - self._prepared) / (step - self._first_step + 1)
        self._context.note(seconds_per_step=each)

    def _weigh(self) -> None:
        self._peak = max(self._peak, bytes_held(self._device))
        self._context.note(peak_bytes=self._peak)


def _ended(session: Session, job: Job, summary: dict[str, Any] | None) -> None:
    run = find_run(session, job.id)
    if summary is not None:
        run.summary = summary
    journal.note(session, run.project_id, "training", _sentence(run), "worker")


def _sentence(run: Run) -> str:
    """How a run ended, for the journal."""
    state = run.job.state
    if state == "finished":
        reached = "" if run.accuracy is None else f", {run.accuracy:.1f} % accuracy on the validation images"
        return f"The run “{run.name}” ({run.id}) is finished{reached}."
    if state == "failed":
        return f"The run “{run.name}” ({run.id}) failed at step {run.step:,}: {run.job.error}"
    return f"The run “{run.name}” ({run.id}) is stopped and saved at step {run.step:,} of {run.steps:,}."


TRAINING = JobKind(
    "training",
    TrainingRequest,
    train,
    folder="runs",
    inputs="inputs",
    row=Run,
    ended=_ended,
    lost_hint="Resume it from the last checkpoint.",
    started_by="avion train",
    doing="Training a student",
)

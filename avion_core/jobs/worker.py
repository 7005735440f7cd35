"""The process that trains: takes a queued run, turns the experiment's events into rows and files, and ends it.

    python -m avion_core.jobs.worker --home FOLDER --run ID

SIGTERM, or a stop asked for in the run's row, lets the experiment save its state; the run is then `stopped`.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
import traceback
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from avion_core.errors import TrainingError
from avion_core.jobs.causes import explain
from avion_core.jobs.devices import be_exact, bytes_held, device_name
from avion_core.jobs.heartbeat import Heartbeat
from avion_core.jobs.inputs import other_inputs, run_inputs
from avion_core.jobs.process import this_process
from avion_core.jobs.run_files import RunFiles
from avion_core.jobs.stopping import stop_on_signals
from avion_core.presets import parse_config
from avion_core.store import journal, leases
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.runs import find_run
from avion_core.store.tables import Run, now

if TYPE_CHECKING:
    from avion_core.experiment import Event


class Listener(Protocol):
    """Somebody who watches a run in the same process."""

    def event(self, event: Event) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None: ...


def work(home: Home, run_id: str, stop: threading.Event, listener: Listener | None = None) -> str:
    """Train a queued run in this process, to its end or to the next stop.

    Args:
        stop: ask for a stop by setting it; it is also set when the run's row asks.
        listener: told everything that the experiment tells.

    Returns:
        "finished" or "stopped".

    Raises:
        TrainingError: another process has the run, or it is not queued.
        AvionError: the experiment failed; the row says so as well.
    """
    process = this_process()
    with writing(home.engine) as session:
        lease = leases.take(session, Run, run_id, **asdict(process))
    if lease is None:
        hint = "See its state with `avion runs list`, or take it up again with --resume."
        raise TrainingError("the run is not waiting for a process", hint, value=run_id)
    state, last, failure = "failed", {}, None
    with RunFiles(home.run_folder(run_id)) as files:
        files.log(f"process {process.pid} on {process.host} takes the run")
        try:
            with Heartbeat(home.engine, run_id, lease, stop) as heartbeat:
                state, last = _train(home, run_id, stop, _Recorder(heartbeat, files, stop, listener))
        except BaseException as error:
            failure = error
            last["cause"], last["error"] = explain(error)
            files.log("".join(traceback.format_exception(error)))
        files.log(state)
        with writing(home.engine) as session:
            if leases.end(session, Run, run_id, lease, state, **last):
                run = find_run(session, run_id)
                journal.note(session, run.project_id, "training", _sentence(run), "worker")
    if failure is not None:
        raise failure
    return state


def main() -> int:
    """Entry of the detached process; its output goes to the run's log."""
    parser = argparse.ArgumentParser(prog="python -m avion_core.jobs.worker")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--run", required=True)
    arguments = parser.parse_args()
    with stop_on_signals() as stop:
        try:
            work(Home(arguments.home), arguments.run, stop)
        except Exception as error:
            # The row and the log have it; this line is for what came before either could be written.
            print(explain(error)[1], file=sys.stderr)
            return 1
    return 0


def _train(home: Home, run_id: str, stop: threading.Event, record: _Recorder) -> tuple[str, dict[str, Any]]:
    """Run the experiment; returns the final state and columns of the run's row."""
    from avion_core.experiment import Finished, Stopped, run_experiment  # imports torch: seconds

    with reading(home.engine) as session:
        config = parse_config(find_run(session, run_id).config)
    folder = home.run_folder(run_id)
    device = device_name(config.device)
    be_exact(device)
    record.device(device)
    events = run_experiment(
        run_inputs(home, run_id),
        config,
        folder,
        others=other_inputs(home, run_id),
        features=home.features,
        weights=home.weights,
        should_stop=stop.is_set,
        progress=record.progress,
    )
    try:
        for event in events:
            record.event(event)
            match event:
                case Finished(summary=summary):
                    reached = summary.get("validation_accuracy")
                    return "finished", {"summary": summary} | ({} if reached is None else {"accuracy": reached})
                case Stopped():
                    return "stopped", {}
    except _StopAskedEarly:
        return "stopped", {}
    raise TrainingError("the training ended without a result", "Look into the run's log and report it.", value=run_id)


class _StopAskedEarly(Exception):
    """A stop while embeddings are made: they keep what they have, and there is no training to save yet."""


class _Recorder:
    """Writes down what an experiment tells: figures to the heartbeat and the curves, words to the log."""

    def __init__(self, heartbeat: Heartbeat, files: RunFiles, stop: threading.Event, listener: Listener | None) -> None:
        self._heartbeat, self._files, self._stop, self._listener = heartbeat, files, stop, listener
        self._stage, self._device = "", "CPU"
        self._began = self._prepared = time.monotonic()
        self._first_step: int | None = None
        self._peak = 0

    def device(self, name: str) -> None:
        self._device = name
        self._heartbeat.note(device=name)

    def progress(self, done: int, total: int, what: str) -> None:
        if self._stop.is_set():
            raise _StopAskedEarly
        self._weigh()
        self._heartbeat.note(stage=f"{self._stage}: {what}, {done:,} of {total:,}")
        if self._listener is not None:
            self._listener.progress(done, total, what)

    def event(self, event: Event) -> None:
        from avion_core.experiment import Finished, Metrics, Saved, Stage, Stopped

        self._weigh()
        match event:
            case Stage(message=message):
                self._stage, self._prepared = message, time.monotonic()
                self._heartbeat.note(stage=message)
                self._files.log(message)
            case Metrics(step=step, steps=steps, epoch=epoch, values=values):
                self._files.metrics(step, epoch, values)
                self._heartbeat.note(step=step, steps=steps, epoch=epoch, **self._pace(step, steps))
                if "validation_accuracy" in values:
                    self._heartbeat.note(accuracy=values["validation_accuracy"])
            case Saved(kind=kind, path=path):
                self._files.log(f"saved {kind}: {path.name}")
            case Stopped(step=step, steps=steps):
                self._files.log(f"asked to stop: saved at step {step} of {steps}")
            case Finished(summary=summary):
                self._files.log(f"summary: {json.dumps(summary)}")
        if self._listener is not None:
            self._listener.event(event)

    def _pace(self, step: int, steps: int) -> dict[str, Any]:
        """Columns that say how long a step takes in this process, and when the last one will be done."""
        if self._first_step is None:
            self._first_step = step
            self._heartbeat.note(preparation_seconds=self._prepared - self._began)
        # Since the stage "training" began, which no other stage follows.
        each = (time.monotonic() - self._prepared) / (step - self._first_step + 1)
        return {"seconds_per_step": each, "expected_end": now() + timedelta(seconds=(steps - step) * each)}

    def _weigh(self) -> None:
        self._peak = max(self._peak, bytes_held(self._device))
        self._heartbeat.note(peak_bytes=self._peak)


def _sentence(run: Run) -> str:
    """How a run ended, for the journal."""
    if run.state == "finished":
        reached = "" if run.accuracy is None else f", {run.accuracy:.1f} % of the validation images right"
        return f"The run “{run.name}” ({run.id}) is finished{reached}."
    if run.state == "failed":
        return f"The run “{run.name}” ({run.id}) failed at step {run.step:,}: {run.error}"
    return f"The run “{run.name}” ({run.id}) is stopped and saved at step {run.step:,} of {run.steps:,}."


if __name__ == "__main__":
    sys.exit(main())

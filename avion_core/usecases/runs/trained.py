"""Runs whose result can be looked at, and where that is done."""

from __future__ import annotations

from avion_core.errors import TrainingError
from avion_core.jobs.devices import torch_device
from avion_core.methods import find_method
from avion_core.protocols import find_protocol
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.views import RunView, get_run


@use_case
def trained_run(home: Home, run: str) -> RunView:
    """A run that has something to measure: finished, or stopped after its first save.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has not been trained yet.
    """
    view = get_run(home, run)
    if view.state not in ("finished", "stopped") or not (view.folder / find_method(view.config.method).file).is_file():
        hint = "Wait until it is finished." if view.state in ("queued", "running") else "Resume it first."
        raise TrainingError(f"run {view.id} has no trained student to show", hint, value=view.state)
    return view


@use_case
def student_run(home: Home, run: str) -> RunView:
    """A trained run that leaves a student, to predict, map and export with.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has not been trained yet, or its method trains no student.
    """
    view = trained_run(home, run)
    if not find_method(view.config.method).trains_student:
        hint = "Choose a run of AVION; this one can be evaluated."
        raise TrainingError(f"run {view.id} trained no student", hint, value=view.config.method)
    if find_protocol(view.config.protocol.name).by_captions:
        hint = "Choose a run that was trained on classes; this one can be evaluated."
        raise TrainingError(f"run {view.id} was trained on captions and knows no classes", hint)
    return view


def run_device(view: RunView) -> str:
    """The device on which a run's student is looked at: the GPU where there is one and the run did not refuse it."""
    return torch_device(view.config.device)

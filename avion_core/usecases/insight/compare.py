"""Runs beside each other: where their settings differ, their curves, and what one gets right that another got wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from avion_core.jobs.curves import Curves
from avion_core.progress import Progress
from avion_core.settings import flatten
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.views import DRAWN_STEPS, RunView, curves, get_run

if TYPE_CHECKING:
    from avion_core.usecases.insight.evaluation import Change, MeasuredPart


@dataclass(frozen=True)
class Comparison:
    """Two or more runs, each under a label of its own: its name, with the beginning of its id where names repeat."""

    runs: dict[str, RunView]
    settings: pd.DataFrame
    """A row per setting in which they differ: setting (dotted), and a column per label."""
    curves: dict[str, Curves]
    """Label -> the run's curves, thinned for display."""


@use_case
def compare_runs(home: Home, runs: Sequence[str]) -> Comparison:
    """Settings and curves of runs, in the order given.

    Raises:
        NotFoundError: no such run.
    """
    views = [get_run(home, run) for run in dict.fromkeys(runs)]
    names = Counter(view.name for view in views)
    labelled = {view.name if names[view.name] == 1 else f"{view.name} · {view.id[:6]}": view for view in views}
    settings_of = {label: flatten(view.config.model_dump(mode="json")) for label, view in labelled.items()}
    keys = list(next(iter(settings_of.values()), {}))
    differing = [key for key in keys if len({str(settings[key]) for settings in settings_of.values()}) > 1]
    return Comparison(
        labelled,
        pd.DataFrame(
            [
                {"setting": key, **{label: str(settings[key]) for label, settings in settings_of.items()}}
                for key in differing
            ],
            columns=["setting", *labelled],
        ),
        {label: curves(home, view.id, DRAWN_STEPS) for label, view in labelled.items()},
    )


@use_case
def change_between(
    home: Home, run: str, baseline: str, *, progress: Progress | None = None
) -> list[tuple[MeasuredPart, Change]]:
    """What a run's student gets right on the validation images that a baseline's got wrong, part by part.

    Measures whichever was not measured yet.

    Returns:
        The parts that both have, each with its `evaluation.Change`; none for runs of different protocols, or on
        captions.

    Raises:
        NotFoundError, TrainingError: no such run, or one without a trained student.
    """
    from avion_core.usecases.insight.evaluation import (  # brings torch along
        change,
        common_parts,
        evaluate_run,
        kept_report,
    )

    after, before = (
        kept_report(home, each, "validation") or evaluate_run(home, each, progress=progress) for each in (run, baseline)
    )
    return [(part, change(after, part.name, before)) for part in common_parts(after, before)]

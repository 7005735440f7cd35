"""Evaluation: how good a trained student is, what it gets wrong, and what changed against another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from sqlalchemy import select
from sqlalchemy.orm import Session

from avion_core.errors import DataError
from avion_core.jobs.inputs import other_inputs, run_inputs
from avion_core.jobs.kinds.evaluation import measure_run
from avion_core.metrics.accuracy import paired_change, per_class
from avion_core.metrics.calibration import reliability
from avion_core.metrics.paired import mcnemar
from avion_core.progress import Progress
from avion_core.protocols import find_protocol
from avion_core.protocols.published import published_figures
from avion_core.protocols.report import MeasuredPart, Report, load_report
from avion_core.store import journal
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Look
from avion_core.usecases.insight.flat_figures import confusion_of, read_earlier
from avion_core.usecases.policies import UNSEAL, demand, use_case
from avion_core.usecases.runs.trained import trained_run
from avion_core.usecases.runs.views import RunView, get_run

__all__ = ["MeasuredPart", "Report"]

SPLITS = ("validation", "test")


@use_case
def evaluate_run(home: Home, run: str, split: str = "validation", *, progress: Progress | None = None) -> Report:
    """Measure a trained run (see `protocols.harness`); the report is kept in its folder as well.

    Args:
        split: "validation", or "test": the sealed set. Asking for it is written down as a look by the actor, before any
            figure is made; `RunView.looks` counts them.

    Raises:
        NotFoundError: no such run.
        RightsError: the actor may not open the sealed set.
        TrainingError: it has not been trained yet.
        DataError: no such split, or no images in it.
    """
    check_split(split)
    if split == "test":
        demand(home.actor, UNSEAL)
    view = trained_run(home, run)
    if split == "test":
        with writing(home.engine) as session:
            note_look(session, view, home.actor.name)
    return measure_run(home, view.id, split, progress)


def note_look(session: Session, view: RunView, who: str) -> None:
    """Write down a look at the sealed test set with a run's student."""
    session.add(Look(run_id=view.id, who=who))
    journal.note(session, view.project_id, "training", f"Looked at the sealed test set with {view.name}", who)


@use_case
def kept_report(home: Home, run: str, split: str) -> Report | None:
    """What `evaluate_run` measured of the run's present student, or None. Reading it is no look of its own.

    What an earlier version kept as flat JSON is read as a report (see `flat_figures.read_earlier`).
    """
    check_split(split)
    view = get_run(home, run)
    report = load_report(view.folder, split) or read_earlier(view.folder, split)
    return report if report is not None and report.step == view.step else None


@use_case
def is_outdated(home: Home, run: str) -> bool:
    """Whether a run was measured on validation images once, and has trained on since."""
    folder = get_run(home, run).folder
    measured = load_report(folder, "validation") or read_earlier(folder, "validation")
    return measured is not None and kept_report(home, run, "validation") is None


@use_case
def looks(home: Home, run: str) -> pd.DataFrame:
    """Who asked for figures of the sealed test set, and when; the newest first."""
    with reading(home.engine) as session:
        found = session.scalars(select(Look).where(Look.run_id == get_run(home, run).id).order_by(Look.id.desc()))
        return pd.DataFrame([{"who": look.who, "when": look.created_at} for look in found], columns=["who", "when"])


@use_case
def pictures(home: Home, run: str, image_ids: Sequence[str], part: str | None = None) -> list[Path]:
    """The files of images that a run was measured on, in the order given.

    Args:
        part: the part that they are of, where a protocol spans projects; the run's own project otherwise.

    Raises:
        DataError: an id that is not the run's.
    """
    view = get_run(home, run)
    own, others = run_inputs(home, view.id), other_inputs(home, view.id)
    parts = find_protocol(view.config.protocol.name).parts(own, others, view.config)
    project = next((one.project for one in parts if one.name == part), own)
    return project.images(list(image_ids)).files


def reliability_table(report: Report, part: str) -> pd.DataFrame:
    """What the reliability diagram of a measured part shows (see `metrics.calibration.reliability`)."""
    said = report.said(part)
    return reliability(torch.tensor(said["probability"].to_numpy()), torch.tensor(said["correct"].to_numpy()))


def confusion_matrix(report: Report, part: MeasuredPart) -> list[list[int]]:
    """(C, C) counts of the run's own predictions: row = true class, column = what was said."""
    return confusion_of(report.said(part.name), part.classes).tolist()


def figures_per_class(report: Report, part: MeasuredPart) -> pd.DataFrame:
    """One row per class (see `metrics.accuracy.per_class`), of the run's own predictions."""
    return per_class(confusion_of(report.said(part.name), part.classes), part.classes)


CLASS_CHANGES = ("class_key", "images", "before", "after", "change", "low", "high")
"""Columns of `Change.per_class`."""


@dataclass(frozen=True)
class Change:
    """A student against a baseline on the images that both were measured on."""

    total: tuple[float, float, float]
    """(change, low, high) over all of them, in percentage points with a 95 % interval for pairs."""
    p: float
    """P-value of McNemar's exact test over all of them; 1 where there are none."""
    per_class: pd.DataFrame
    """Columns class_key, images, before, after (percent), change, low, high; NaN for a class without common images."""
    images: int
    """How many images both were measured on."""
    of: int
    """How many the student was measured on."""


def change(report: Report, part: str, baseline: Report | None = None, method: tuple[str, str] | None = None) -> Change:
    """What a student gets right that a baseline got wrong, and the other way round, class by class.

    Args:
        report, part: a measured run and one of its parts.
        baseline: another run's report of the same part; None takes `method` of the same report.
        method: (method, model) of the row to hold it against; None is the baseline's own, or the student's zero-shot.
    """
    rows = report.said(part).set_index("image_id")
    if baseline is None:
        before = report.said(part, *(method or ("zero_shot", "student")))
    else:
        before = baseline.said(part, *(method or (None, None)))
    right = before.set_index("image_id")["correct"]
    common = rows[rows.index.isin(right.index)].assign(before=lambda table: right.loc[table.index])
    table = []
    for key in report.part(part).classes:
        of_class = common[common["class_key"] == key]
        points, low, high = _paired(of_class)
        shares = {name: 100 * of_class[column].mean() for name, column in (("before", "before"), ("after", "correct"))}
        table.append({"class_key": key, "images": len(of_class), **shares, "change": points, "low": low, "high": high})
    gained, lost = (int((common[a] & ~common[b]).sum()) for a, b in (("correct", "before"), ("before", "correct")))
    return Change(
        _paired(common), mcnemar(gained, lost), pd.DataFrame(table, columns=list(CLASS_CHANGES)), len(common), len(rows)
    )


def common_parts(report: Report, baseline: Report) -> list[MeasuredPart]:
    """The parts of a report that can be held image by image against a baseline's: both have them, with classes."""
    known = {part.name for part in baseline.parts}
    return [part for part in report.parts if part.name in known and part.classes]


@use_case
def published(home: Home, run: str) -> pd.DataFrame:
    """The published figures that may stand beside this run's (see `protocols.published`); mostly none."""
    view = get_run(home, run)
    inputs = run_inputs(home, view.id)
    return published_figures(view.config, inputs.class_names, len(inputs.manifest))


def _paired(rows: pd.DataFrame) -> tuple[float, float, float]:
    if rows.empty:
        return math.nan, math.nan, math.nan
    return paired_change(torch.tensor(rows["before"].to_numpy(bool)), torch.tensor(rows["correct"].to_numpy(bool)))


def check_split(split: str) -> None:
    """Refuse what is no split to measure on.

    Raises:
        DataError: it is neither validation nor test.
    """
    if split not in SPLITS:
        raise DataError("there is no such split", "Choose validation or test.", value=split)

"""What a report to hand over says of one run: gathered from what was measured, computed and frozen."""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from avion_core.backbones.terms import read_terms
from avion_core.data.images import open_image
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import DataError
from avion_core.jobs.inputs import run_inputs
from avion_core.methods import find_method
from avion_core.plots import results
from avion_core.plots.drawn import Drawn
from avion_core.reading import Subject, read_parquet
from avion_core.settings import flatten
from avion_core.store.home import Home
from avion_core.usecases.curation.blind import my_sight, sees_all
from avion_core.usecases.insight.alignment import list_maps, read_map
from avion_core.usecases.insight.evaluation import (
    MeasuredPart,
    Report,
    change,
    confusion_matrix,
    figures_per_class,
    pictures,
)
from avion_core.usecases.insight.figure_words import change_in_words, interval, when_timed
from avion_core.usecases.insight.rows import headline_rows
from avion_core.usecases.insight.trust import trust_in_validation
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.views import Curves, RunView

CURVES = {
    "validation_accuracy": "validation accuracy, percent",
    "validation_mr": "validation mR, percent",
    "loss": "loss",
}
"""What is drawn over the steps -> its axis; each where a run has it."""
_PROTOTYPES = Subject("the run's prototypes", hint="Start a new run; this one's folder is damaged.")
_MISTAKES, _SIDE = 24, 112
_VIEWS = {"teacher": "Teacher", "before": "Student before training", "after": "Student after training"}


@dataclass(frozen=True)
class Mistake:
    """A picture that was taken for another class."""

    data: str
    """A JPEG as a data address; "" where the file can no longer be read."""
    said: str
    """True class and predicted class, each with its probability."""


@dataclass(frozen=True)
class PartContents:
    """What one measured part has to show."""

    title: str
    classes: bool
    """Whether it tells classes apart; the rest is empty where it does not."""
    change: str
    """Against the untrained student, in words; "" where that was not measured."""
    per_class: list[dict[Hashable, Any]]
    wrong: int
    mistakes: list[Mistake]
    """The surest of the wrong ones."""


@dataclass(frozen=True)
class Measured:
    """A report on one split, in words."""

    split: str
    rows: list[dict[Hashable, Any]]
    """title, percent, interval in words, seconds, what: of every method, the run's own first."""
    timed: str
    """Whether the moment was quiet; "" where no row was timed."""
    parts: list[PartContents]
    left_out: dict[str, str]
    trust: list[str]


@dataclass(frozen=True)
class RunContents:
    """One run of a report."""

    label: str
    view: RunView
    by_captions: bool
    """Whether it was trained on captions, and not on labelled images."""
    method: str
    measured: list[Measured]
    texts: list[dict[Hashable, Any]]
    """class, text, verdict, kept, weight, why; of a blind review only those that the actor may see (see `hidden`)."""
    hidden: int
    """Texts that are left out: the review is blind, and the actor has not judged them."""
    map_said: str
    settings: list[tuple[str, str]]
    models: list[tuple[str, str]]
    """What each model was for -> name, licence and source."""


@use_case
def run_contents(
    home: Home, label: str, view: RunView, reports: list[Report], walked: Curves, figures: dict[str, Drawn]
) -> RunContents:
    """All that a report says of a run; its figures are added to `figures` under names of their own.

    Args:
        reports: of the run, on each split that is to be shown.
        walked: its measured steps.
    """
    inputs = run_inputs(home, view.id)
    names = inputs.class_names
    measured = [_measured(home, label, view, report, names, inputs.recipe, figures) for report in reports]
    for column, title in CURVES.items():
        drawn = results.curves({label: walked.table}, column, title)
        if drawn is not None:
            figures[f"{label} {column}"] = drawn
    texts, hidden = _texts(home, view, names)
    method = find_method(view.config.method)
    used = method.models(view.config)
    terms = read_terms(home.run_folder(view.id), home.models, view.config.teacher, view.config.student)
    return RunContents(
        label,
        view,
        reports[0].by_captions,
        method.title,
        measured,
        texts,
        hidden,
        _map(home, label, view, names, figures),
        [(key, str(value)) for key, value in flatten(view.config.model_dump(mode="json")).items()],
        [(one.role, one.sentence) for one in terms if one.role in used],
    )


def _measured(
    home: Home,
    label: str,
    view: RunView,
    report: Report,
    names: dict[str, str],
    recipe: RenderingRecipe,
    figures: dict[str, Drawn],
) -> Measured:
    rows = headline_rows(report)
    shown = rows[["title", "value", "low", "high"]].rename(columns={"title": "label"})
    of = f"{label} {report.split}"
    figures[f"{of} methods"] = results.intervals(
        shown, "percent", f"Every method on the same {report.split} images, with 95 % intervals"
    )
    return Measured(
        report.split,
        [{**row, "interval": interval(row)} for row in rows.to_dict("records")],
        when_timed(report) if rows["seconds"].notna().any() else "",
        [_part(home, of, view, report, part, names, recipe, figures) for part in report.parts],
        report.left_out,
        trust_in_validation(report),
    )


def _part(
    home: Home,
    of: str,
    view: RunView,
    report: Report,
    part: MeasuredPart,
    names: dict[str, str],
    recipe: RenderingRecipe,
    figures: dict[str, Drawn],
) -> PartContents:
    if not part.classes:  # of captions: images and texts find each other, and its figures are the table's
        return PartContents(part.title, False, "", [], 0, [])
    name_of = {key: names.get(key, key) for key in part.classes}
    of = f"{of} {part.name}" if len(report.parts) > 1 else of
    figures[f"{of} confusion"] = results.confusion(confusion_matrix(report, part), list(name_of.values()))
    table = figures_per_class(report, part)
    table = table.assign(label=table["class_key"].map(name_of), value=table["accuracy"]).sort_values("accuracy")
    figures[f"{of} classes"] = results.intervals(
        table, "percent of the class's images", "Accuracy of each class, the weakest first, with 95 % intervals"
    )
    against = ""
    if not report.said(part.name, "zero_shot", "student").empty and report.method != "zero_shot":
        against = change_in_words(change(report, part.name), "the untrained student")
    wrong = report.said(part.name)
    wrong = wrong[~wrong["correct"]].sort_values("probability", ascending=False)
    return PartContents(
        part.title,
        True,
        against,
        table.to_dict("records"),
        len(wrong),
        list(_mistakes(home, view, part, wrong.head(_MISTAKES), name_of, recipe)),
    )


def _mistakes(
    home: Home,
    view: RunView,
    part: MeasuredPart,
    wrong: pd.DataFrame,
    name_of: dict[str, str],
    recipe: RenderingRecipe,
) -> Iterator[Mistake]:
    files = pictures(home, view.id, wrong["image_id"].tolist(), part.name)
    for file, row in zip(files, wrong.to_dict("records"), strict=True):
        said = (
            f"{name_of[row['class_key']]} ({row['true_probability']:.0%}) taken for {name_of[row['predicted']]} "
            f"({row['probability']:.0%})"
        )
        stream = io.BytesIO()
        try:
            picture = open_image(file, recipe)
        except (DataError, OSError):  # moved or damaged since it was measured
            yield Mistake("", said)
            continue
        picture.thumbnail((_SIDE, _SIDE))
        picture.save(stream, "JPEG", quality=85)
        yield Mistake(f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}", said)


def _texts(home: Home, view: RunView, names: dict[str, str]) -> tuple[list[dict[Hashable, Any]], int]:
    """The descriptions as the run took them, the heaviest of each class first, and how many a blind review hides."""
    path = view.folder / "prototypes.parquet"
    if not path.is_file():  # of a method that reads none
        return [], 0
    table = read_parquet(path, _PROTOTYPES)
    hides = my_sight(home, view.project_id).hides(table["description_id"]) & (not sees_all(home, view.project_id))
    table = table[~hides].sort_values(["class_key", "kept", "weight"], ascending=[True, False, False])
    shown = table[["text", "verdict", "kept", "weight", "why"]].assign(name=table["class_key"].map(names))
    return shown.to_dict("records"), int(hides.sum())


def _map(home: Home, label: str, view: RunView, names: dict[str, str], figures: dict[str, Drawn]) -> str:
    """Draw the newest finished map without the sealed test set; what is on it, or why there is none."""
    made = [one for one in list_maps(home, view.id) if one.state == "finished" and not one.shows_test]
    if not made:
        return "No map was computed for this run."
    found = read_map(home, view.id, made[0].key)
    views = {name: title for name, title in _VIEWS.items() if f"x_{name}" in found.points}
    figures[f"{label} map"] = results.places(found.points, views, names)
    return found.statement

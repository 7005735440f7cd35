"""Runs beside each other: settings that differ, curves, names told apart."""

from __future__ import annotations

import pandas as pd
import pytest

from avion_core.errors import NotFoundError, TrainingError
from avion_core.protocols.report import MeasuredPart, Report
from avion_core.store.database import writing
from avion_core.store.tables import Look
from avion_core.usecases.insight import evaluation
from avion_core.usecases.insight.compare import change_between, compare_runs
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.deleting import delete_run
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.marking import pin_baseline, rename_run
from avion_core.usecases.runs.training import stop
from avion_core.usecases.runs.views import get_run, list_runs
from tests.acting import by


@pytest.fixture
def pair(home, described, tiny_towers) -> tuple[str, str]:
    changed = {"distillation.epochs": 9, "prototypes.zeta": 2.0}
    return create_run(home, described.id, name="first"), create_run(home, described.id, overrides=changed, name="other")


def test_only_what_differs_is_listed(home, pair):
    found = compare_runs(home, pair)
    assert found.settings.set_index("setting").to_dict("index") == {
        "prototypes.zeta": {"first": "3.0", "other": "2.0"},
        "distillation.epochs": {"first": "3", "other": "9"},
    }


def test_runs_of_one_name_are_told_apart(home, pair):
    rename_run(home, pair[1], "first")
    labels = list(compare_runs(home, [*pair, pair[0]]).runs)
    assert labels == [f"first · {run[:6]}" for run in pair]
    with pytest.raises(TrainingError, match=r"A run needs a name"):
        rename_run(home, pair[1], "  ")


def test_curves_of_each(home, pair):
    (home.run_folder(pair[0]) / "metrics.jsonl").write_text('{"step": 1, "epoch": 1, "loss": 2.0}\n')
    curves = compare_runs(home, pair).curves
    assert curves["first"].table["loss"].tolist() == [2.0]
    assert curves["other"].table.empty


def measured(right: list[bool], parts: tuple[str, ...] = ("all",)) -> Report:
    said = [
        {"method": "avion", "model": "student", "part": part, "image_id": f"i{place}", "class_key": "beach"}
        | {"predicted": "beach" if hit else "forest"}
        for part in parts
        for place, hit in enumerate(right)
    ]
    described = [MeasuredPart(part, "", "scenes", ["beach"], trained=True) for part in parts]
    facts = {"protocol": "", "split": "validation", "shots": 1, "seed": 1, "left_out": {}}
    return Report(pd.DataFrame(), pd.DataFrame(said), "avion", "student", parts=described, **facts)


def test_change_is_counted_on_the_same_images(home, pair, monkeypatch):
    kept = {pair[0]: measured([True, False, False, True]), pair[1]: measured([True, True, True, True])}
    monkeypatch.setattr(evaluation, "kept_report", lambda home, run, split: kept[run])
    ((_, found),) = change_between(home, pair[1], pair[0])
    points, low, high = found.total
    assert (points, found.images) == (50.0, 4)
    assert low < 50 < high
    assert found.p == pytest.approx(0.5)  # two gained, none lost: 2 x 1/4


def test_other_protocols_have_nothing_in_common(home, pair, monkeypatch):
    kept = {pair[0]: measured([True]), pair[1]: measured([True], ("base", "novel"))}
    monkeypatch.setattr(evaluation, "kept_report", lambda home, run, split: kept[run])
    assert change_between(home, *pair) == []


def test_what_cannot_be_compared(home, pair):
    with pytest.raises(NotFoundError, match="no such run"):
        compare_runs(home, [pair[0], "nosuch"])
    with pytest.raises(TrainingError, match="no trained student to show"):
        change_between(home, *pair)


def test_a_baseline_is_of_the_project_and_goes_with_its_run(home, described, images, pair):
    pin_baseline(home, described.id, pair[0])
    assert get_project(home, described.id).baseline_run == pair[0]
    other = create_project(home, "another", images)
    with pytest.raises(TrainingError, match=rf"The run belongs to another project: {pair[0]}\. Choose one of another"):
        pin_baseline(home, other.id, pair[0])
    with pytest.raises(TrainingError, match=r"queued or running run cannot be deleted: queued\. Stop it first"):
        delete_run(home, pair[0])
    assert get_run(home, pair[0]).state == "queued"
    stop(home, pair[0])
    with writing(home.engine) as session:
        session.add(Look(run_id=pair[0], who="ann"))
    delete_run(by("bob", home), pair[0])
    (last,) = journal_entries(home, described.id, limit=1)
    assert (last.who, last.sentence) == (
        "bob",
        f"Deleted: first ({pair[0]}), which had looked at the test set 1 times.",
    )
    assert get_project(home, described.id).baseline_run is None
    assert [run.id for run in list_runs(home)] == [pair[1]]

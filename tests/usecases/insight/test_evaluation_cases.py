"""Evaluation on a tiny project: what is kept, what changed, and a run among its siblings."""

from __future__ import annotations

import json
import threading

import numpy as np
import pandas as pd
import pytest

from avion_core.errors import DataError
from avion_core.metrics import calibration
from avion_core.store.database import reading
from avion_core.store.journal import entries
from avion_core.usecases.insight.evaluation import (
    change,
    evaluate_run,
    kept_results,
    looks,
    parts,
    pictures,
    reliability_table,
)
from avion_core.usecases.insight.protocol_runs import base_to_novel, few_shot_curve
from avion_core.usecases.runs.training import create_run, get_run, run_here

pytestmark = pytest.mark.usefixtures("tiny_towers")


def trained(home, project, **overrides) -> str:
    run_id = create_run(home, project.id, overrides=overrides)
    run_here(home, run_id, threading.Event())
    return run_id


def test_figures_are_kept_for_the_student_they_were_measured_on(home, described) -> None:
    run = trained(home, described)
    assert kept_results(home, run, "validation") is None
    measured = evaluate_run(home, run)
    assert kept_results(home, run, "validation") == json.loads(json.dumps(measured))
    path = get_run(home, run).folder / "results-validation.json"
    path.write_text(json.dumps({**measured, "step": measured["step"] - 1}))
    assert kept_results(home, run, "validation") is None  # it has trained on since
    with pytest.raises(DataError, match=r"^There is no such split: train\. Choose validation or test\."):
        kept_results(home, run, "train")


def test_reading_kept_test_figures_is_no_look(home, described) -> None:
    run = trained(home, described)
    evaluate_run(home, run, "test", "ana")
    kept_results(home, run, "test")
    few_shot_curve(home, run, "test")
    assert looks(home, run)["who"].tolist() == ["ana"]
    with reading(home.engine) as session:
        told = [entry.who for entry in entries(session, described.id) if "sealed test set" in entry.sentence]
    assert told == ["ana"]


def test_a_temperature_fitted_on_validation_is_measured_on_the_test_set_alone(home, described, monkeypatch) -> None:
    run = trained(home, described)
    assert evaluate_run(home, run, "test")["temperature"] is None  # six images are too few
    monkeypatch.setattr(calibration, "FEWEST_TO_FIT", 3)
    on_validation, on_test = evaluate_run(home, run), evaluate_run(home, run, "test")
    assert on_test["temperature"] == pytest.approx(on_validation["temperature"])
    assert "calibrated_error" not in on_validation
    assert on_test["calibrated_error"] != pytest.approx(on_test["calibration_error"], abs=1e-3)


def test_rows_say_what_the_untrained_student_says(home, described) -> None:
    result = evaluate_run(home, trained(home, described))
    rows = pd.DataFrame(result["predictions"])
    assert 100 * (rows["zero_shot"] == rows["class_key"]).mean() == pytest.approx(result["zero_shot_accuracy"])
    right = rows["correct"]
    assert rows.loc[right, "true_probability"].tolist() == pytest.approx(rows.loc[right, "probability"].tolist())
    assert (rows.loc[~right, "true_probability"] <= rows.loc[~right, "probability"]).all()


def test_pictures_and_reliability_are_of_the_images_measured(home, described) -> None:
    part = parts(evaluate_run(home, trained(home, described)))["all"]
    rows = part["predictions"]
    files = pictures(home, "latest", [row["image_id"] for row in rows])
    assert [file.parent.name for file in files] == [row["class_key"] for row in rows]
    table = reliability_table(part)
    assert table["images"].sum() == len(rows)
    gap = (table["images"] * (table["accuracy"] - table["confidence"]).abs().fillna(0)).sum() / len(rows)
    assert gap == pytest.approx(part["calibration_error"], abs=1e-4)


def test_change_counts_pairs_of_the_same_images() -> None:
    rows = [
        {"image_id": str(n), "class_key": key, "correct": right, "zero_shot": key if before else "other"}
        for n, (key, right, before) in enumerate(
            [("a", True, False), ("a", True, True), ("b", False, True), ("b", False, False)]
        )
    ]
    part = {"class_keys": ["a", "b", "c"], "predictions": rows}
    found = change(part)
    assert (found.total[0], found.images, found.of) == (0.0, 4, 4)
    table = found.per_class.set_index("class_key")
    assert table.loc["a", ["before", "after", "change"]].tolist() == [50.0, 100.0, 50.0]
    assert table.loc["b", ["before", "after", "change"]].tolist() == [50.0, 0.0, -50.0]
    assert table.loc["c"].isna().sum() == 5
    baseline = {"predictions": [{**row, "correct": True} for row in rows[1:3]]}
    found = change(part, baseline)
    assert (found.total[0], found.images, found.of) == (-50.0, 2, 4)
    nothing = change(part, {"predictions": [{"image_id": "x", "correct": True}]})
    assert nothing.images == 0
    assert np.isnan(nothing.total).all()


def test_a_curve_takes_runs_that_differ_in_shots_and_seed_alone(home, described) -> None:
    first = trained(home, described)
    older, newer = (trained(home, described, **{"data.seed": 2}) for _ in range(2))
    one_shot = trained(home, described, **{"data.shots": 1})
    other = trained(home, described, **{"distillation.epochs": 1})
    evaluate_run(home, one_shot)
    found = few_shot_curve(home, first)
    avion = found.points[found.points["method"] == "accuracy"].set_index("run_id")["accuracy"]
    assert set(avion.index) == {first, newer, one_shot}
    assert avion[newer] == get_run(home, newer).accuracy
    assert not {older, other} & set(found.points["run_id"])
    assert set(found.unmeasured) == {first, newer}
    at_two = found.curve.query("method == 'accuracy' and shots == 2").iloc[0]
    assert at_two["mean"] == pytest.approx(np.mean([avion[first], avion[newer]]))
    assert at_two["deviation"] == pytest.approx(np.std([avion[first], avion[newer]], ddof=1))
    assert pd.isna(found.curve.query("method == 'accuracy' and shots == 1")["deviation"].item())
    assert (2, 3) in found.missing
    assert (2, 2) not in found.missing
    assert few_shot_curve(home, first, "test").points.empty  # nobody has looked


def test_base_to_novel_over_seeds(home, described) -> None:
    settings = {"protocol.name": "base-to-novel"}
    first, second = trained(home, described, **settings), trained(home, described, **settings, **{"data.seed": 2})
    figures = evaluate_run(home, first)
    found = base_to_novel(home, second)
    assert found.rows["run_id"].tolist() == [first, second]
    assert (found.missing, found.unmeasured) == ([3], [second])
    assert found.mean["base_accuracy"] == figures["base_accuracy"]
    evaluate_run(home, second)
    mean = base_to_novel(home, first).mean
    b, n = mean["base_accuracy"], mean["novel_accuracy"]
    assert mean["harmonic_mean"] == pytest.approx(2 * b * n / (b + n) if b and n else 0)
    assert np.isnan(base_to_novel(home, first, "test").mean["harmonic_mean"])

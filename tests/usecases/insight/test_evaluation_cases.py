"""Evaluation on a tiny project: what is kept, what changed, and a run among its siblings."""

# pandas' own types say too little of a row or of a cell.
# pyright: reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
from __future__ import annotations

import json
import threading
import time

import numpy as np
import pandas as pd
import pytest

from avion_core.backbones.prompted import PromptedStudent
from avion_core.errors import DataError, TrainingError
from avion_core.metrics import calibration
from avion_core.protocols import harness
from avion_core.protocols.report import MeasuredPart, Report, at_step, load_report
from avion_core.store.database import reading
from avion_core.store.journal import entries
from avion_core.usecases.insight.evaluation import (
    change,
    evaluate_run,
    is_outdated,
    kept_report,
    looks,
    pictures,
    reliability_table,
)
from avion_core.usecases.insight.flat_figures import flat_figures
from avion_core.usecases.insight.protocol_runs import over_seeds, over_shots
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.trained import student_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import get_run
from tests.acting import by

pytestmark = pytest.mark.usefixtures("tiny_towers")


def trained(home, project, **overrides) -> str:
    run_id = create_run(home, project.id, overrides=overrides)
    run_here(home, run_id, threading.Event())
    return run_id


def test_figures_are_kept_for_the_student_they_were_measured_on(home, described) -> None:
    run = trained(home, described)
    assert kept_report(home, run, "validation") is None
    assert not is_outdated(home, run)
    measured = evaluate_run(home, run)
    kept = kept_report(home, run, "validation")
    assert kept is not None
    pd.testing.assert_frame_equal(kept.figures, measured.figures)
    pd.testing.assert_frame_equal(kept.predictions, measured.predictions)
    assert (kept.parts, kept.step, kept.left_out) == (measured.parts, measured.step, measured.left_out)
    at_step(measured, measured.step - 1).save(get_run(home, run).folder)
    assert kept_report(home, run, "validation") is None  # it has trained on since
    assert is_outdated(home, run)
    with pytest.raises(DataError, match=r"^There is no such split: train\. Choose validation or test\."):
        kept_report(home, run, "train")


def test_a_report_that_was_cut_off_is_none(home, described) -> None:
    run = trained(home, described)
    folder = get_run(home, run).folder
    evaluate_run(home, run)
    figures = (folder / "report-validation.parquet").read_bytes()
    evaluate_run(home, run)
    assert load_report(folder, "validation") is not None
    (folder / "report-validation.parquet").write_bytes(figures)  # of the measuring before
    assert load_report(folder, "validation") is None


def test_every_method_says_something_of_every_image(home, described) -> None:
    report = evaluate_run(home, trained(home, described))
    rows = report.figures[report.figures["metric"] == "accuracy"]
    assert len(rows) == len(report.predictions.groupby(["method", "model"]))
    of_both = ("zero_shot", "zero_shot_ensemble", "class_mean", "class_mean_text", "linear_probe", "text_prototypes")
    expected = {(method, "student") for method in ("avion", "mapped_prototypes", "tip_adapter")}
    expected |= {(method, model) for method in of_both for model in ("student", "teacher")}
    assert set(zip(rows["method"], rows["model"], strict=True)) == expected
    for row in rows.itertuples():
        said = report.said("all", row.method, row.model)
        assert row.value == pytest.approx(100 * said["correct"].mean())
        assert (row.n, row.interval) == (len(said), "Wilson")
        assert row.low - 1e-9 <= row.value <= row.high + 1e-9
    probes = rows[rows["method"] == "linear_probe"].set_index("model")["parameters"]
    assert probes.to_dict() == {"student": 3 * 32 + 3, "teacher": 3 * 48 + 3}
    assert set(rows.loc[rows["method"] == "class_mean", "parameters"]) == {0}


def test_the_prompted_student_is_what_is_timed(home, described, monkeypatch) -> None:
    run = trained(home, described)
    slow = PromptedStudent.encode_image

    def slower(self, pixels):
        time.sleep(0.2)
        return slow(self, pixels)

    monkeypatch.setattr(PromptedStudent, "encode_image", slower)
    report = evaluate_run(home, run)
    prompted, bare = (report.figure("all", "accuracy", *row) for row in ((None, None), ("zero_shot", "student")))
    assert prompted is not None
    assert bare is not None
    assert prompted["seconds"] > 1000 * 0.2 / 3 > bare["seconds"]  # three images in one batch


def test_reading_kept_test_figures_is_no_look(home, described) -> None:
    run = trained(home, described)
    evaluate_run(by("ana", home), run, "test")
    kept_report(home, run, "test")
    over_shots(home, run, "test")
    assert looks(home, run)["who"].tolist() == ["ana"]
    with reading(home.engine) as session:
        told = [entry.who for entry in entries(session, described.id) if "sealed test set" in entry.sentence]
    assert told == ["ana"]


def test_a_temperature_fitted_on_validation_is_measured_on_the_test_set_alone(home, described, monkeypatch) -> None:
    run = trained(home, described)
    assert evaluate_run(home, run, "test").value("all", "temperature") is None  # six images are too few
    monkeypatch.setattr(calibration, "FEWEST_TO_FIT", 3)
    on_validation, on_test = evaluate_run(home, run), evaluate_run(home, run, "test")
    fitted = on_validation.figure("all", "temperature")
    assert fitted is not None
    assert on_test.value("all", "temperature") == pytest.approx(fitted["value"])
    assert fitted["n"] == 3
    assert on_validation.value("all", "calibrated_error") is None
    assert on_test.value("all", "calibrated_error") != pytest.approx(
        on_test.value("all", "calibration_error"), abs=1e-3
    )


def test_novel_classes_take_the_temperature_of_the_base_classes(home, four, monkeypatch) -> None:
    monkeypatch.setattr(calibration, "FEWEST_TO_FIT", 2)
    run = trained(home, four, **{"protocol.name": "base-to-novel"})
    fitted_on = []
    real = harness.fit_temperature
    monkeypatch.setattr(harness, "fit_temperature", lambda *given: fitted_on.append(len(given[1])) or real(*given))
    for split in ("validation", "test"):
        report = evaluate_run(home, run, split)
        base, novel = (report.value(part, "temperature") for part in ("base", "novel"))
        assert base == novel
        if base is not None:  # else every base image was right
            assert report.value("novel", "calibrated_error") is not None
    # AVION and the untrained models alone are measured on novel classes; all are fitted on the two base images.
    assert set(fitted_on) == {2}


def test_rows_say_what_the_untrained_student_says(home, described) -> None:
    report = evaluate_run(home, trained(home, described))
    untrained = report.said("all", "zero_shot", "student")
    assert 100 * untrained["correct"].mean() == pytest.approx(report.value("all", "accuracy", "zero_shot", "student"))
    rows = report.said("all")
    right = rows["correct"]
    assert rows.loc[right, "true_probability"].tolist() == pytest.approx(rows.loc[right, "probability"].tolist())
    assert (rows.loc[~right, "true_probability"] <= rows.loc[~right, "probability"]).all()


def test_pictures_and_reliability_are_of_the_images_measured(home, described) -> None:
    report = evaluate_run(home, trained(home, described))
    rows = report.said("all")
    files = pictures(home, "latest", rows["image_id"].tolist())
    assert [file.parent.name for file in files] == rows["class_key"].tolist()
    table = reliability_table(report, "all")
    assert table["images"].sum() == len(rows)
    gap = (table["images"] * (table["accuracy"] - table["confidence"]).abs().fillna(0)).sum() / len(rows)
    assert gap == pytest.approx(report.value("all", "calibration_error"), abs=1e-4)


def said(**methods: dict[str, tuple[str, bool]]) -> Report:
    """A report with what methods of the student said of images: image -> (its class, whether that was said)."""
    rows = [
        {"method": method, "model": "student", "part": "all", "image_id": image, "class_key": key}
        | {"predicted": key if right else "other"}
        for method, images in methods.items()
        for image, (key, right) in images.items()
    ]
    parts = [MeasuredPart("all", "", "scenes", ["a", "b", "c"], trained=True)]
    facts = {"protocol": "few-shot", "split": "validation", "shots": 1, "seed": 1, "left_out": {}}
    return Report(pd.DataFrame(), pd.DataFrame(rows), "avion", "student", parts=parts, **facts)


def test_change_counts_pairs_of_the_same_images() -> None:
    images = [("a", True, False), ("a", True, True), ("b", False, True), ("b", False, False)]
    mine = {str(n): (key, right) for n, (key, right, _) in enumerate(images)}
    part = said(avion=mine, zero_shot={str(n): (key, before) for n, (key, _, before) in enumerate(images)})
    found = change(part, "all")
    assert (found.total[0], found.images, found.of) == (0.0, 4, 4)
    assert found.p == 1.0  # one gained, one lost
    table = found.per_class.set_index("class_key")
    assert table.loc["a", ["before", "after", "change"]].tolist() == [50.0, 100.0, 50.0]
    assert table.loc["b", ["before", "after", "change"]].tolist() == [50.0, 0.0, -50.0]
    assert table.loc["c"].isna().sum() == 5
    baseline = said(avion={image: (mine[image][0], True) for image in ("1", "2")})
    found = change(part, "all", baseline)
    assert (found.total[0], found.images, found.of) == (-50.0, 2, 4)
    nothing = change(part, "all", said(avion={"x": ("a", True)}))
    assert nothing.images == 0
    assert np.isnan(nothing.total).all()


def test_a_curve_takes_runs_that_differ_in_shots_and_seed_alone(home, described) -> None:
    first = trained(home, described)
    older, newer = (trained(home, described, **{"data.seed": 2}) for _ in range(2))
    one_shot = trained(home, described, **{"data.shots": 1})
    other = trained(home, described, **{"distillation.epochs": 1})
    evaluate_run(home, one_shot)
    found = over_shots(home, first)
    avion = found.points[found.points["title"] == "AVION"].set_index("run_id")["value"]
    assert set(avion.index) == {first, newer, one_shot}
    assert avion[newer] == get_run(home, newer).accuracy
    assert not {older, other} & set(found.points["run_id"])
    assert set(found.unmeasured) == {first, newer}
    at_two = found.curve.query("title == 'AVION' and shots == 2").iloc[0]
    assert at_two["mean"] == pytest.approx(np.mean([avion[first], avion[newer]]))
    assert at_two["deviation"] == pytest.approx(np.std([avion[first], avion[newer]], ddof=1))
    assert pd.isna(found.curve.query("title == 'AVION' and shots == 1")["deviation"].item())
    assert (2, 3) in found.missing
    assert (2, 2) not in found.missing
    beside = {"Student, class mean + text", "Student, linear probe", "Teacher, text prototypes"}
    assert set(found.curve["title"]) == {"AVION"} | beside
    assert found.curve["title"].iloc[0] == "AVION"
    assert over_shots(home, first, "test").points.empty  # nobody has looked


def test_base_to_novel_over_seeds(home, four) -> None:
    settings = {"protocol.name": "base-to-novel"}
    first, second = trained(home, four, **settings), trained(home, four, **settings, **{"data.seed": 2})
    report = evaluate_run(home, first)
    found = over_seeds(home, second)
    assert found.rows["run_id"].tolist() == [first, second]
    assert (found.missing, found.unmeasured) == ([3], [second])
    assert found.mean["AVION, base"] == report.value("base", "accuracy")
    evaluate_run(home, second)
    mean = over_seeds(home, first).mean
    b, n = mean["AVION, base"], mean["AVION, novel"]
    assert mean["AVION, harmonic mean"] == pytest.approx(2 * b * n / (b + n) if b and n else 0)
    first_rows = ["harmonic mean", "generalised harmonic mean", "base", "novel", "base among all", "novel among all"]
    assert list(mean)[:6] == [f"AVION, {name}" for name in first_rows]
    assert over_seeds(home, first, "test").mean == {}


def test_figures_that_an_earlier_version_kept_are_read_as_a_report(home, described) -> None:
    run = trained(home, described)
    report = evaluate_run(by("ana", home), run, "test")
    flat = flat_figures(report)
    folder = get_run(home, run).folder
    old = {"run_id": run, "state": "finished", "step": report.step, "looks": 1, **flat}
    for path in folder.glob("*-test.parquet"):
        path.unlink()
    del old["figures"]
    (folder / "results-test.json").write_text(json.dumps(old))
    earlier = kept_report(home, run, "test")
    assert earlier is not None
    for method, model in (("avion", "student"), ("linear_probe", "teacher"), ("text_prototypes", "teacher")):
        kept, now = (one.figure("all", "accuracy", method, model) for one in (earlier, report))
        assert kept is not None
        assert now is not None
        assert [kept[name] for name in ("value", "n", "low", "high")] == pytest.approx(
            [now[name] for name in ("value", "n", "low", "high")]
        )
    assert earlier.value("all", "accuracy", "mapped_prototypes", "student") is None  # nobody measured it then
    pd.testing.assert_frame_equal(earlier.said("all"), report.said("all"), check_dtype=False)
    found = change(earlier, "all")
    assert found.total == change(report, "all").total
    assert not over_shots(home, run, "test").points.empty
    old["step"] -= 1
    (folder / "results-test.json").write_text(json.dumps(old))
    assert kept_report(home, run, "test") is None


def test_a_method_can_be_a_run_of_its_own(home, described) -> None:
    run = trained(home, described, method="linear_probe", **{"options.model": "teacher"})
    view = get_run(home, run)
    assert (view.state, view.step, view.steps) == ("finished", 1, 1)
    assert view.accuracy == view.summary["validation_accuracy"]
    assert view.summary["trained_parameters"] == 3 * 48 + 3
    report = evaluate_run(home, run, "test")
    assert (report.method, report.model) == ("linear_probe", "teacher")
    rows = set(zip(report.figures["method"], report.figures["model"], strict=True))
    assert ("linear_probe", "student") in rows
    assert ("avion", "student") not in rows
    beside = evaluate_run(home, trained(home, described), "test")
    assert report.value("all", "accuracy") == beside.value("all", "accuracy", "linear_probe", "teacher")
    with pytest.raises(TrainingError, match=r"trained no student: linear_probe. Choose a run of AVION"):
        student_run(home, run)

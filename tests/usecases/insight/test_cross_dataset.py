"""Cross-dataset transfer from a run's launch to its report."""

from __future__ import annotations

import threading

import pytest

from avion_core.errors import ConfigError
from avion_core.presets import make_config
from avion_core.protocols import find_protocol
from avion_core.protocols.cross_dataset import OWN, seen_as
from avion_core.protocols.report import OVERALL
from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.summaries import read_splits
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from tests import tiny_studio

pytestmark = pytest.mark.usefixtures("tiny_towers")


@pytest.fixture
def other(home, tmp_path):
    """Beach and forest under other keys, and a river that the first project does not know."""
    images = tiny_studio.make_images(tmp_path / "other", classes=("beach", "forest", "river"))
    (images / "beach").rename(images / "Beach")
    (images / "forest").rename(images / "woodland")
    return create_project(home, "other", images, defaults=tiny_studio.DEFAULTS)


def launched(home, project, method: str, **settings) -> str:
    wanted = {"protocol.name": "cross-dataset", "protocol.projects": ["other"], "method": method}
    run = create_run(
        home, project.id, overrides=wanted | {"protocol.aliases": ["woodland=forest"]} | settings, here=True
    )
    assert run_here(home, run, threading.Event()).state == "finished"
    return run


@pytest.mark.parametrize("method", ["avion", "class_mean"])
def test_shared_classes_and_all_classes(home, described, other, method):
    report = evaluate_run(home, launched(home, described, method), "test")
    assert [(part.name, part.classes, part.project) for part in report.parts] == [
        (OWN, ["beach", "forest", "golfcourse"], "scenes"),
        ("other, shared", ["beach", "forest"], "other"),
        ("other, all", ["Beach", "river", "woodland"], "other"),
    ]
    said = report.said("other, shared")
    tested = set(read_splits(home, other.id).test)
    assert set(said["image_id"]) <= tested
    assert set(said["class_key"]) == {"beach", "forest"}
    assert (report.value("other, all", "accuracy") is not None) == (method == "avion")
    for name in ("zero_shot", "class_mean_text", "text_prototypes"):
        assert report.value("other, all", "accuracy", name, "student") is not None
    assert report.value("other, all", "accuracy", "linear_probe", "student") is None
    shared, whole = (report.value(f"other, {kind}", "accuracy", "zero_shot", "student") for kind in ("shared", "all"))
    assert report.value(OVERALL, "transfer_shared", "zero_shot", "student") == pytest.approx(shared)
    assert report.value(OVERALL, "transfer_all", "zero_shot", "student") == pytest.approx(whole)


def test_nothing_of_the_other_project_is_trained_on_or_calibrates(home, described, other, monkeypatch):
    from avion_core.metrics import calibration
    from avion_core.protocols import harness

    monkeypatch.setattr(calibration, "FEWEST_TO_FIT", 1)
    run = launched(home, described, "class_mean")
    fitted_on = []
    real = harness.fit_temperature
    monkeypatch.setattr(harness, "fit_temperature", lambda *given: fitted_on.append(given[0].shape) or real(*given))
    evaluate_run(home, run, "test")
    assert set(fitted_on) == {(3, 3)}  # three validation images of the own project, among its three classes


def test_an_image_is_the_same_under_either_name(home, described, other):
    seen = seen_as(freeze(home, other.id), {"Beach": "beach", "woodland": "forest"}, {"beach": "b", "forest": "f"})
    assert seen.class_names == {"beach": "b", "forest": "f"}
    there = freeze(home, other.id)
    labels = dict(zip(there.manifest["image_id"], there.manifest["label"], strict=True))
    renamed = dict(zip(seen.manifest["image_id"], seen.manifest["label"], strict=True))
    assert {labels[image]: label for image, label in renamed.items()} == {
        "Beach": "beach",
        "woodland": "forest",
        "river": "",
    }
    assert all(renamed[image] for image in seen.splits.test)


def test_projects_that_share_no_class_are_measured_by_name_alone(home, described, other):
    config = make_config(
        overrides={"protocol.name": "cross-dataset", "protocol.projects": ["other"]}, base=tiny_studio.DEFAULTS
    )
    parts = find_protocol("cross-dataset").parts(freeze(home, described.id), [freeze(home, other.id)], config)
    assert [part.name for part in parts] == [OWN, "other, all"]  # beach alone meets: one class is no choice


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"protocol.projects": []}, "none is named"),
        ({"protocol.projects": ["other", "other"]}, "twice"),
        ({"protocol.aliases": ["harbor"]}, "no pair of class names"),
    ],
)
def test_settings_that_cannot_be_are_refused(home, described, other, settings, said):
    with pytest.raises(Exception, match=said) as refused:
        launched(home, described, "class_mean", **settings)
    assert isinstance(refused.value, ConfigError) or "Training" in type(refused.value).__name__

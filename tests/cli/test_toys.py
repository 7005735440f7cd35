"""A method and a protocol of one file each, registered by a line: trained and evaluated from the command line."""

from __future__ import annotations

import pandas as pd
import pytest

from avion_core.methods import METHODS
from avion_core.protocols import PROTOCOLS
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import read_splits
from tests import tiny_studio
from tests.protocols.toy_transfer import Transfer


@pytest.fixture(autouse=True)
def toys(monkeypatch) -> None:
    monkeypatch.setitem(METHODS, "nearest", "tests.methods.toy_nearest:Nearest")
    monkeypatch.setitem(METHODS, "perceptron", "tests.methods.toy_perceptron:Perceptron")
    monkeypatch.setitem(PROTOCOLS, "transfer", Transfer())


def test_a_method_that_is_trained(answer, avion, scenes):
    run = answer("train", "scenes", "--method", "perceptron", "--set", "options.passes=4")
    assert (run["state"], run["step"], run["steps"]) == ("finished", 4, 4)
    assert run["summary"]["validation_accuracy"] == run["accuracy"]
    found = answer("evaluate", "latest", "--split", "test")
    rows = pd.DataFrame(found["figures"]).query("metric == 'accuracy'").set_index(["method", "model"])
    assert rows.loc[("perceptron", "student"), "value"] == found["accuracy"]
    assert rows.loc[("nearest", "teacher"), "value"] == found["teacher_nearest_accuracy"]
    assert "Perceptron" in avion("evaluate", "latest").stdout
    refused = avion("train", "scenes", "--method", "perceptron", "--set", "options.passes=0")
    assert (refused.exit_code, "options.passes cannot be used" in refused.stderr) == (2, True)


def test_a_method_that_is_solved(answer, scenes):
    run = answer("train", "scenes", "--method", "nearest", "--set", "options.model=teacher")
    assert (run["state"], run["step"], run["steps"]) == ("finished", 1, 1)
    assert answer("evaluate", "latest")["accuracy"] == run["accuracy"]


def test_a_protocol_over_two_projects(answer, avion, scenes, tmp_path):
    classes = ("forest", "river")
    images = tiny_studio.make_images(tmp_path / "other", classes=classes)
    other = create_project(scenes, "other", images, defaults=tiny_studio.DEFAULTS)
    import_descriptions(scenes, "other", tiny_studio.make_descriptions(tmp_path / "other.json", classes))
    answer("train", "scenes", "--protocol", "transfer", "--set", "protocol.projects=other")
    found = answer("evaluate", "latest", "--split", "test")
    assert found["mean_accuracy"] == pytest.approx((found["here_accuracy"] + found["other_accuracy"]) / 2)
    assert found["zero_shot_mean_accuracy"] is not None
    assert found["other"]["class_keys"] == ["forest", "river"]
    assert found["other"]["images"] == len(read_splits(scenes, other.id).test)
    assert "class_mean_accuracy" not in found["other"]  # nothing labelled of it was seen
    assert "AVION, other" in avion("evaluate", "latest").stdout
    refused = avion("train", "scenes", "--protocol", "transfer")
    assert (refused.exit_code, "none is named" in refused.stderr) == (2, True)
    refused = avion("train", "scenes", "--set", "protocol.projects=other")
    assert "rotocol.projects cannot be used with few-shot" in refused.stderr
    refused = avion("train", "scenes", "--protocol", "transfer", "--set", "protocol.projects=nobody")
    assert "nobody" in refused.stderr

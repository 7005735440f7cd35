"""Capsules of what is not few-shot on pictures: embeddings that were given, captions, runs that span projects."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from avion_core.errors import DataError
from avion_core.store.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.from_features import create_from_features
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.transfer.capsule.making import make_capsule
from avion_core.usecases.transfer.capsule.verifying import verify_capsule
from tests import tiny_studio
from tests.captioning import make_captions
from tests.usecases.projects.test_from_features import made
from tests.usecases.transfer.capsule.conftest import members_of, weights_in


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in tiny_studio.TINY.values():
        (folder / name).write_bytes(name.encode())
    weights_in(folder, monkeypatch)


def packed(home: Home, project: str, out: Path, **settings: Any) -> Path:
    run = create_run(home, project, overrides=settings, here=True)
    assert run_here(home, run, threading.Event()).state == "finished"
    return make_capsule(home, out, [run]).path


def test_a_project_of_given_features_needs_its_embeddings(home, tmp_path) -> None:
    np.savez(tmp_path / "given.npz", **made())  # pyright: ignore[reportArgumentType]
    create_from_features(home, "given", tmp_path / "given.npz", defaults={"data": {"shots": 4}})
    capsule = packed(home, "given", tmp_path / "given.capsule", method="linear_probe")
    assert verify_capsule(home, capsule).same
    elsewhere = Home(tmp_path / "elsewhere", home.actor)
    assert verify_capsule(elsewhere, capsule, figures_only=True).same
    with pytest.raises(DataError, match=r"the embeddings given-\w+ are not in this home.*avion projects create NAME"):
        verify_capsule(elsewhere, capsule)


def test_a_training_on_captions_comes_out_again(home, images, tmp_path) -> None:
    file = make_captions(tmp_path / "captions.json")
    create_project(home, "captioned", images, labels=file, defaults=tiny_studio.DEFAULTS)
    capsule = packed(home, "captioned", tmp_path / "captions.capsule", **{"protocol.name": "retrieval"})
    members = members_of(capsule)
    table = pd.read_csv(io.BytesIO(members["tables/validation.csv"]))
    assert set(table["metric"]) == {"mr"}
    assert "48 captions" in members["methods.md"].decode()
    found = verify_capsule(home, capsule, images=images)
    assert found.same
    assert found.runs[0].predictions.empty


def test_a_run_that_spans_projects_takes_both_along(home, described, images, tmp_path) -> None:
    other = tiny_studio.make_images(tmp_path / "other", classes=("beach", "forest", "river"))
    create_project(home, "other", other, defaults=tiny_studio.DEFAULTS)
    settings = {"protocol.name": "cross-dataset", "protocol.projects": ["other"], "method": "class_mean_text"}
    capsule = packed(home, described.id, tmp_path / "cross.capsule", **settings)
    about = json.loads(members_of(capsule)["capsule.json"])
    assert [about["inputs"][key]["project"] for key in ("1", "2")] == ["scenes", "other"]
    assert (about["runs"][0]["inputs"], about["runs"][0]["others"]) == ("1", ["2"])
    assert verify_capsule(home, capsule).same  # both projects are in this home
    with pytest.raises(DataError, match="images are not found by their content"):
        verify_capsule(Home(tmp_path / "elsewhere", home.actor), capsule, images=images)

"""Capsules from the command line: written, verified, and what differs by exit code."""

from __future__ import annotations

import threading
from pathlib import Path
from zipfile import ZipFile

import pytest

from avion_core.backbones import load
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from tests import tiny_studio
from tests.usecases.transfer.capsule.conftest import altered


@pytest.fixture
def weights(folder, tmp_path, monkeypatch) -> Path:
    """A weights file for each tiny model."""
    for name in tiny_studio.TINY.values():
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.setattr(load.WeightStore, "path", lambda _, name: tmp_path / name)
    return tmp_path


@pytest.fixture
def run(scenes, weights) -> str:
    made = create_run(scenes, "scenes", overrides={"method": "class_mean"}, here=True)
    run_here(scenes, made, threading.Event())
    return made


def test_written_and_verified(run, avion, answer, images, tmp_path) -> None:
    out = tmp_path / "paper.capsule"
    made = answer("capsule", run, "--out", out)
    assert (made["path"], made["runs"], made["decisions"]) == (str(out), 1, 0)
    found = answer("verify", out, "--project", "scenes")
    assert found["same"]
    assert {figure["said"] for figure in found["runs"][0]["figures"]} == {"same"}
    shown = avion("verify", out, "--images", images)
    assert shown.exit_code == 0, shown.stderr
    assert "71 of 71 figures are the same; 0 of 42 predictions changed." in shown.stdout
    assert "Nothing differs beyond the tolerance: 1 run trained and measured again." in shown.stdout
    assert "run 1 of 1" in shown.stderr
    quick = avion("verify", out, "--figures-only")
    assert "Nothing differs: tables and figures follow from the predictions by image." in quick.stdout


def test_what_differs_ends_with_1(run, avion, tmp_path) -> None:
    avion("capsule", run, "--out", tmp_path / "paper.capsule")
    forged = altered(
        tmp_path / "paper.capsule",
        lambda members: members.update({"figures.csv": members["figures.csv"].replace(b"class mean", b"ours")}),
    )
    found = avion("verify", forged, "--figures-only")
    assert found.exit_code == 1
    assert "figures.csv: line 2 says" in found.stdout
    assert found.stdout.endswith("It differs.\n")


def test_what_is_missing_is_said_in_one_sentence(run, avion, weights, tmp_path) -> None:
    avion("capsule", run, "--out", tmp_path / "paper.capsule")
    (weights / tiny_studio.TINY["student"]).write_bytes(b"another")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "other.png").write_bytes(b"no picture")
    found = avion("verify", tmp_path / "paper.capsule", "--images", tmp_path / "empty")
    assert found.exit_code == 1
    assert "images are not found by their content" in found.stderr
    assert "GeoRSCLIP ViT-B/32 are another file" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_grid_is_packed_by_its_file(run, answer, avion, tmp_path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text("projects: [scenes]\nshots: [2]\nseeds: [1]\nrows: {floor: {method: class_mean}}\n")
    assert answer("capsule", "--sweep", grid, "--out", tmp_path / "grid.capsule")["runs"] == 1
    with ZipFile(tmp_path / "grid.capsule") as archive:
        assert "| floor |" in archive.read("tables/validation.md").decode()
    for words in ((), (run, "--sweep", grid)):
        refused = avion("capsule", *words, "--out", tmp_path / "x.capsule")
        assert refused.exit_code == 2
        assert "Name RUNs, or a grid" in refused.stderr

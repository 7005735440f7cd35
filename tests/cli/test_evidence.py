"""Commands of the evidence: projects from embeddings, placebo tests, and sweeps with their tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.usecases.projects.test_from_features import made


@pytest.fixture
def answer(avion):
    def ask(*words: object) -> dict:
        result = avion(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return ask


def test_a_project_from_embeddings_and_its_prototypes(answer, avion, tmp_path):
    np.savez(tmp_path / "given.npz", **made())
    project = answer("projects", "create", "mine", "--features", tmp_path / "given.npz")
    assert (project["images"], project["descriptions"]) == (90, 24)
    found = answer("prototypes", "mine", "--shots", "4")
    assert found["outside"]["images"] > 30
    assert 0 < found["outside"]["low"] <= found["outside"]["accuracy"] <= found["outside"]["high"] <= 100
    assert found["outside"]["template"] is None
    assert found["template_accuracy"]["validation"] is None
    text = avion("prototypes", "mine", "--shots", "4").stdout
    assert "labelled images outside the shots and the test set" in text
    assert "nan" not in text
    placebo = answer("placebo", "mine", "--shots", "4")
    assert {row["control"] for row in placebo["figures"]} == {"own", "shuffled"}
    assert "random words" in placebo["left_out"]


def test_files_that_are_no_features_are_refused_in_one_sentence(avion, folder, tmp_path):
    (tmp_path / "no.npz").write_bytes(b"nothing")
    result = avion("projects", "create", "mine", "--features", tmp_path / "no.npz")
    assert result.exit_code == 1
    assert "neither an .npz nor a Parquet file" in result.stderr
    for words in (("--features", tmp_path / "no.npz", "--bands", "1,2,3"), (), (tmp_path, "--features", "x.npz")):
        assert avion("projects", "create", "mine", *words).exit_code == 2


def test_prototypes_outside_the_shots_of_a_project_with_pictures(answer, scenes):
    assert answer("prototypes", "scenes")["outside"] is None
    found = answer("prototypes", "scenes", "--outside")["outside"]
    assert found["gain"] == pytest.approx(found["accuracy"] - found["template"])


def test_a_placebo_test_says_a_sentence_for_each_class(answer, avion, scenes):
    found = answer("placebo", "scenes", "--draws", "2")
    assert {row["control"] for row in found["figures"]} == {
        "own", "template", "shuffled", "random", "named_random", "nameless",
    }  # fmt: skip
    by_part = {one["part"]: one for one in found["verdicts"]}
    assert set(by_part) == {"all", "beach", "forest", "golfcourse"}
    assert all(one["meaning"] in ("yes", "unclear", "misleads", "none") for one in by_part.values())
    text = avion("placebo", "scenes", "--draws", "2").stdout
    assert all(one["sentence"] in text for one in by_part.values())
    assert found["looks"] == 0
    assert answer("placebo", "scenes", "--draws", "2", "--split", "test")["looks"] == 1


def test_a_sweep_from_file_to_table(answer, avion, scenes, tmp_path, monkeypatch):
    monkeypatch.setattr("avion_core.jobs.queue.ensure_served", lambda _: None)
    grid = tmp_path / "grid.yaml"
    grid.write_text("projects: [scenes]\nshots: [1]\nseeds: [1]\nrows:\n  mean: {method: class_mean}\n")
    assert [run["state"] for run in answer("sweeps", "run", grid, "--preview")["runs"]] == ["missing"]
    answer("train", "scenes", "--method", "class_mean", "--shots", "1", "--seed", "1")
    assert [run["state"] for run in answer("sweeps", "run", grid)["runs"]] == ["finished"]
    assert answer("sweeps", "table", grid) == {"figures": []}
    run = answer("sweeps", "show", grid)["runs"][0]["run"]
    answer("evaluate", run)
    (row,) = answer("sweeps", "table", grid)["figures"]
    assert (row["row"], row["seeds"], row["metric"]) == ("mean", 1, "accuracy")
    answer("sweeps", "table", grid, "--format", "latex", "--out", tmp_path / "table.tex")
    assert r"\begin{tabular}" in (tmp_path / "table.tex").read_text()
    grid.write_text("projects: [")
    assert avion("sweeps", "show", grid).exit_code == 2

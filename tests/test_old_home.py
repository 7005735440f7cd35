"""A home that version 0.1 wrote opens, migrates, and its runs evaluate and resume.

tests/fixtures/old_home/README.md says how it was made. It was made elsewhere, so no path that is frozen in it exists.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from avion_core.actor import ALONE
from avion_core.backbones.load import demo_folder
from avion_core.cli import app
from avion_core.distill.tensor_file import read_tensors
from avion_core.store.home import Home
from avion_core.usecases.insight.evaluation import kept_report

FIXTURE = Path(__file__).parent / "fixtures" / "old_home"
FACTS = json.loads((FIXTURE / "facts.json").read_text(encoding="utf-8"))
RUNS = FACTS["runs"]

Answer = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """home/, own/ (a person's images) and expected/ (what 0.1 makes of the stopped runs)."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(FIXTURE / "old_home.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def old(unpacked: Path, tmp_path: Path) -> Path:
    shutil.copytree(unpacked, tmp_path / "old")
    return tmp_path / "old"


@pytest.fixture
def answer(old: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setenv("AVION_HOME", str(old / "home"))

    def call(*words: Any) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*map(str, words), "--json"])
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return call


def count(old: Path, table: str) -> int:
    with closing(sqlite3.connect(old / "home" / "avion.sqlite3")) as database:
        return database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def test_it_opens_with_every_row(old: Path, answer: Answer) -> None:
    listed = {project["name"]: project["id"] for project in answer("projects", "list")["projects"]}
    assert listed == {name: project["id"] for name, project in FACTS["projects"].items()}
    kept = ("verdicts", "labels", "descriptions", "generations", "replies", "runs", "journal", "class_changes", "looks")
    assert {table: count(old, table) for table in kept} == {table: FACTS["rows"][table] for table in kept}


def test_its_runs_are_listed_as_they_were(answer: Answer) -> None:
    listed = {run["id"]: run for run in answer("runs", "list")["runs"]}
    for fact in RUNS.values():
        run = listed[fact["id"]]
        assert (run["name"], run["state"]) == (fact["name"], fact["state"])
        assert (run["step"], run["accuracy"]) == (fact["step"], fact["accuracy"])


def test_a_run_of_the_bundled_demo_evaluates_where_the_package_is_now(answer: Answer) -> None:
    """FAULTS 21: the demo's images are found beside the package, wherever it was when the run was trained."""
    assert demo_folder().is_dir()
    found = answer("evaluate", RUNS["few_shot"]["id"])
    fact = FACTS["evaluations"]["few_shot"]["validation"]
    figures = {name: value for name, value in fact.items() if name.endswith("accuracy")}
    assert {name: found[name] for name in figures} == pytest.approx(figures, abs=1e-6)
    assert found["images"] == fact["images"]


def test_its_prototypes_are_read(old: Path) -> None:
    for name in ("few_shot", "base_to_novel", "stopped_demo", "stopped_own"):
        table = pd.read_parquet(old / "home" / "runs" / RUNS[name]["id"] / "prototypes.parquet")
        assert len(table) == RUNS[name]["prototypes_rows"]


def test_a_stopped_run_resumes_once_its_images_are_found(old: Path, answer: Answer) -> None:
    """To what version 0.1 makes of it: the same tensors to a tolerance, since processors differ in the last bits."""
    run, expected = RUNS["stopped_own"], FACTS["resumed"]["stopped_own"]
    answer("projects", "relink", "own", old / "own" / "images")
    answer("train", "--resume", run["id"])
    listed = {entry["id"]: entry for entry in answer("runs", "list")["runs"]}[run["id"]]
    assert (listed["state"], listed["step"], listed["accuracy"]) == ("finished", expected["step"], expected["accuracy"])
    made = read_tensors(old / "home" / "runs" / run["id"] / "adapter.safetensors", "an adapter", ())[0]
    right = read_tensors(old / "expected" / "stopped_own-resumed-adapter.safetensors", "an adapter", ())[0]
    assert made.keys() == right.keys()
    for name, tensor in right.items():
        torch.testing.assert_close(made[name], tensor, atol=1e-4, rtol=1e-3)


def test_the_fixture_is_what_its_facts_are_about() -> None:
    content = (FIXTURE / "old_home.tar.gz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == FACTS["made_by"]["sha256"]


def test_figures_that_it_kept_are_read_without_a_look(old: Path) -> None:
    home = Home(old / "home", ALONE)
    before = count(old, "looks")
    for name, parts in (("few_shot", ["all"]), ("base_to_novel", ["base", "novel"])):
        for split, fact in FACTS["evaluations"][name].items():
            report = kept_report(home, RUNS[name]["id"], split)
            assert report is not None
            assert [part.name for part in report.parts] == parts
            if parts == ["all"]:
                rows = {"accuracy": (None, None), "linear_probe_accuracy": ("linear_probe", "student")}
                rows |= {"teacher_prototype_accuracy": ("text_prototypes", "teacher")}
                assert {key: report.value("all", "accuracy", *row) for key, row in rows.items()} == {
                    key: fact[key] for key in rows
                }
                assert len(report.said("all")) == fact["images"]
            else:
                assert report.value("novel", "accuracy") == fact["novel_accuracy"]
                assert report.value("overall", "harmonic_mean") == fact["harmonic_mean"]
    assert count(old, "looks") == before

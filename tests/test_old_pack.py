"""A pack that version 0.1 made unpacks in a new home, with its runs, which train on and are measured.

tests/fixtures/old_pack/README.md says how it was made: of the project "own" in tests/fixtures/old_home.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from avion_core.cli import app
from tests.test_old_home import FIXTURE, RUNS

PACK = FIXTURE.parent / "old_pack" / "own.zip"

Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setenv("AVION_HOME", str(tmp_path / "home"))

    def call(*words: Any, code: int = 0) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*map(str, words), "--json"])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    return call


def test_it_is_of_the_first_schema() -> None:
    with zipfile.ZipFile(PACK) as pack:
        assert json.loads(pack.read("pack.json"))["schema"] == "0001"
        assert "tables/jobs.jsonl" not in pack.namelist()


def test_it_unpacks_with_images_decisions_and_runs(answer: Answer) -> None:
    answer("projects", "unpack", PACK)
    (project,) = answer("projects", "list")["projects"]
    assert (project["name"], project["images"], project["descriptions"]) == ("own", 24, 37)
    found = {run["id"]: run for run in answer("runs", "list")["runs"]}
    for name in ("failed", "queued", "stopped_own"):
        run, then = found[RUNS[name]["id"]], RUNS[name]
        state = "stopped" if then["state"] == "queued" else then["state"]  # nothing starts by being unpacked
        figures = ("name", "step", "steps", "accuracy", "cause")
        assert (run["state"], *(run[key] for key in figures)) == (state, *(then[key] for key in figures))
    assert answer("evaluate", RUNS["stopped_own"]["id"])["accuracy"] == RUNS["stopped_own"]["accuracy"]


def test_one_of_a_newer_version_is_refused_with_what_to_do(answer: Answer, tmp_path: Path) -> None:
    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(PACK) as old, zipfile.ZipFile(newer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(b'"0001"', b'"9999"') if name == "pack.json" else content)
    said = answer("projects", "unpack", newer, code=1)["error"]
    assert "was made by a newer AVION Studio, schema: 9999. Update" in said

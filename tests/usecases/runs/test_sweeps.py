"""A grid in one file: what is done is skipped, what was stopped goes on, and tables are what the reports say."""

# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportArgumentType=false
from __future__ import annotations

import math
import statistics
import threading

import pandas as pd
import pytest
import torch

from avion_core.actor import Actor
from avion_core.errors import ConfigError, RightsError
from avion_core.metrics.accuracy import paired_change
from avion_core.usecases.insight.evaluation import evaluate_run, kept_report
from avion_core.usecases.insight.sweep_tables import measure_sweep, sweep_document, sweep_table
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.sweeps import launch_grid, read_sweep, sweep_cells
from avion_core.usecases.runs.training import run_here, stop
from avion_core.usecases.runs.views import list_runs

pytestmark = pytest.mark.usefixtures("tiny_towers")

GRID = """
projects: [scenes]
shots: [1, 2]
seeds: [1, 2]
against: mean
rows:
  probe: {method: linear_probe}
  mean: {method: class_mean, settings: {model.template: "a photo of {}."}}
"""


@pytest.fixture
def grid(tmp_path):
    (tmp_path / "grid.yaml").write_text(GRID)
    return tmp_path / "grid.yaml"


@pytest.fixture
def queued(monkeypatch) -> list[str]:
    """What was handed to the queue, which does not run here."""
    asked: list[str] = []
    monkeypatch.setattr("avion_core.usecases.runs.sweeps.jobs.enqueue", lambda _home, *ids: asked.extend(ids))
    return asked


def test_missing_runs_are_queued_and_done_ones_skipped(home, described, grid, queued):
    earlier = create_run(home, described.id, overrides={"method": "linear_probe", "data.shots": 1}, here=True)
    run_here(home, earlier, threading.Event())
    sweep = read_sweep(home, grid)
    cells = sweep_cells(home, sweep)
    assert [(c.title, c.config.data.shots, c.config.data.seed) for c in cells] == [
        (title, shots, seed) for title in ("probe", "mean") for shots in (1, 2) for seed in (1, 2)
    ]
    assert [cell.state for cell in cells] == ["finished", *["missing"] * 7]
    assert cells[0].run is not None
    assert cells[0].run.id == earlier  # whoever made it
    after = launch_grid(home, sweep)
    assert len(queued) == 7
    assert [cell.state for cell in after] == ["finished", *["queued"] * 7]
    assert after[4].run.name == "mean, 1-shot, seed 1"
    assert after[4].run.config.model.template == "a photo of {}."
    launch_grid(home, sweep)
    assert len(queued) == 7
    assert len(list_runs(home, described.id)) == 8


def test_a_stopped_run_is_resumed_and_a_new_row_queued_alone(home, described, grid, queued):
    sweep = read_sweep(home, grid)
    launch_grid(home, sweep)
    first = queued[0]
    stop(home, first)
    queued.clear()
    grid.write_text(GRID + "  zero: {method: zero_shot}\n")
    launch_grid(home, read_sweep(home, grid))
    assert queued[0] == first
    assert len(queued) == 1 + 4
    assert sweep_cells(home, sweep)[0].state == "queued"


def test_the_table_is_what_the_reports_say(home, described, grid, monkeypatch):
    sweep = read_sweep(home, grid)
    monkeypatch.setattr(
        "avion_core.usecases.runs.sweeps.jobs.enqueue",
        lambda _home, *ids: [run_here(home, run, threading.Event()) for run in ids],
    )
    launch_grid(home, sweep)
    assert sweep_table(home, sweep).empty
    monkeypatch.setattr("avion_core.jobs.queue.ensure_served", lambda _: None)
    assert len(measure_sweep(home, sweep)) == 1  # one evaluation for the project's eight runs
    for cell in sweep_cells(home, sweep):
        assert cell.run is not None
        evaluate_run(home, cell.run.id)
    assert measure_sweep(home, sweep) == []
    table = sweep_table(home, sweep)
    assert list(zip(table["row"], table["shots"], strict=True)) == [
        ("probe", 1),
        ("probe", 2),
        ("mean", 1),
        ("mean", 2),
    ]
    cells = sweep_cells(home, sweep)
    where = {(c.title, c.config.data.shots, c.config.data.seed): c.run.id for c in cells}
    reports = {key: kept_report(home, run, "validation") for key, run in where.items()}
    values = [reports["probe", 2, seed].value("all", "accuracy") for seed in (1, 2)]
    row = table.iloc[1]
    assert row["mean"] == pytest.approx(statistics.mean(values))
    assert row["deviation"] == pytest.approx(statistics.stdev(values))
    assert (row["seeds"], row["parameters"]) == (2, reports["probe", 2, 1].figure("all", "accuracy")["parameters"])
    both = pd.concat(
        reports["probe", 2, seed].said("all").merge(reports["mean", 2, seed].said("all"), on="image_id")
        for seed in (1, 2)
    )
    by_image = both.groupby("image_id")[["correct_y", "correct_x"]].mean()
    by_hand = paired_change(*(torch.tensor(by_image[name].to_numpy(float)) for name in ("correct_y", "correct_x")))
    assert (row["gain"], row["gain_low"], row["gain_high"]) == pytest.approx(by_hand)
    assert all(math.isnan(one) for one in table.iloc[2:]["gain"])
    assert table["published"].isna().all()  # never beside a set or a pair that is not the paper's
    assert "| probe |" in sweep_document(home, sweep)
    assert r"\toprule" in sweep_document(home, sweep, "latex")
    assert sweep_document(home, sweep, "csv").startswith("project,protocol,shots,row")
    with pytest.raises(ConfigError, match="no such form"):
        sweep_document(home, sweep, "pdf")


def test_the_test_set_is_opened_by_right(home, described, grid, queued):
    grid.write_text(GRID + "split: test\n")
    run = create_run(home, described.id, overrides={"method": "linear_probe", "data.shots": 1}, here=True)
    run_here(home, run, threading.Event())
    with pytest.raises(RightsError, match="open the sealed test set"):
        measure_sweep(home.acting_as(Actor("Vera", "adjudicator")), read_sweep(home, grid))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("projects: [", "is not YAML"),
        ("- a list", "cannot be used: the whole"),
        ("", "cannot be used: the whole"),
        ("projects: [a]", "cannot be used: rows"),
        ("projects: [a]\nrows: {x: {metod: avion}}", "rows.x.metod"),
        ("projects: []\nrows: {x: {}}", "cannot be used: projects"),
        ("projects: [a]\nrows: {x: {}}\nshots: [0]", "shots.0"),
        ("projects: [a]\nrows: {x: {}}\nsplit: train", "cannot be used: split"),
        ("projects: [a]\nrows: {x: {}}\nagainst: y", "compares with a row that it lacks: y"),
        ("projects: [a]\nrows: {x: {method: nothing}}", "no such method"),
        ("a: &a [x]\nprojects: *a\nrows: {x: {}}", "holds aliases"),
        ("projects: !!python/object/apply:os.mkdir [sprung]\nrows: {}", "is not YAML"),
        (f"projects: [a]\nrows: {{x: {{}}}}\nseeds: {list(range(1, 3000))}", "more than 2,000 runs"),
    ],
)
def test_files_that_are_no_grid(home, tmp_path, text, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_sweep(home, tmp_path / "bad.yaml")
    assert not (tmp_path / "sprung").exists()


def test_nothing_is_queued_where_one_run_cannot_start(home, described, grid, queued):
    grid.write_text(GRID.replace("shots: [1, 2]", "shots: [1, 200]"))
    with pytest.raises(Exception, match=r"200|shots"):
        launch_grid(home, read_sweep(home, grid))
    assert queued == []
    assert list_runs(home, described.id) == []

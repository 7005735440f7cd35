"""Curves of trainings, of one run and of several."""

from __future__ import annotations

import pandas as pd

from app.components.runs import run_charts

TABLE = pd.DataFrame(
    {
        "step": [1, 2, 3, 4],
        "loss": [4.0, 3.0, 2.0, 1.0],
        "task": [2.0, 1.5, 1.0, 0.5],
        "scale": [14.2, 14.3, 14.4, 14.5],
        "validation_accuracy": [None, 50.0, None, 75.0],
    }
)


def test_a_curve_bridges_steps_that_were_not_measured() -> None:
    (line,) = run_charts.curve(TABLE, "validation_accuracy").data
    assert list(line.x) == [2, 4]
    assert list(line.y) == [50.0, 75.0]


def test_only_parts_that_were_measured_are_drawn_and_each_keeps_its_colour() -> None:
    lines = {line.name: line.line.color for line in run_charts.losses(TABLE).data}
    assert lines == {name: run_charts.LOSSES[name] for name in ("loss", "task")}


def test_runs_over_each_other_differ_in_colour_then_in_dash() -> None:
    runs = {f"run {number}": TABLE for number in range(10)} | {"empty": TABLE.head(0)}
    lines = run_charts.overlaid(runs, "loss").data
    assert [line.name for line in lines] == [f"run {number}" for number in range(10)]
    assert len({(line.line.color, line.line.dash) for line in lines}) == 10


def test_a_zoom_is_kept_while_points_arrive() -> None:
    figure = run_charts.curve(TABLE, "scale")
    assert figure.layout.uirevision == run_charts.curve(TABLE.head(2), "scale").layout.uirevision == "keep"

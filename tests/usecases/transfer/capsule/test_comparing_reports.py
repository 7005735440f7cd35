"""The tolerance: rounding where the arithmetic is the same, the 95 % interval where it is not."""

from __future__ import annotations

import pandas as pd
import pytest

from avion_core.distill.arithmetic import Arithmetic, Stretch
from avion_core.protocols.report import FIGURES, PREDICTIONS, MeasuredPart, Report
from avion_core.usecases.transfer.capsule.comparing import computed_alike, figure_differences, prediction_differences

NAN = float("nan")


def report(*figures: tuple[str, float, float, float], said: str = "aab") -> Report:
    """Figures (metric, value, low, high), and what was said of images 0, 1, 2, ... of class a."""
    rows = [("coop", "student", "all", m, v, low, high, "", 40, 1.0, 7) for m, v, low, high in figures]
    told = [("coop", "student", "all", str(number), "a", key, 0.5, 0.5) for number, key in enumerate(said)]
    parts = [MeasuredPart("all", "", "scenes", ["a", "b"], True)]
    return Report(
        pd.DataFrame(rows, columns=list(FIGURES)), pd.DataFrame(told, columns=list(PREDICTIONS)),
        "coop", "student", "few-shot", "validation", 2, 1, parts, {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "same_way", "said"),
    [
        (80.0, True, "same"),
        (80.04, True, "same"),
        (80.1, True, "differs"),
        (80.1, False, "within"),
        (70.0, False, "within"),
        (69.9, False, "differs"),
        (NAN, False, "differs"),
    ],
)
def test_a_figure_is_held_to_its_tolerance(now, same_way, said) -> None:
    then = report(("accuracy", 80.0, 70.0, 90.0))
    table = figure_differences(then, report(("accuracy", now, 60.0, 99.0)), same_way=same_way)
    assert table["said"].tolist() == [said]
    assert table["difference"].iloc[0] == pytest.approx(now - 80.0, nan_ok=True)


def test_what_has_no_interval_has_no_tolerance_elsewhere() -> None:
    then, now = report(("temperature", 1.0, NAN, NAN)), report(("temperature", 1.4, NAN, NAN))
    assert figure_differences(then, now, same_way=False)["said"].tolist() == ["within"]
    assert figure_differences(then, now, same_way=True)["said"].tolist() == ["differs"]


def test_figures_of_one_side_alone_are_named() -> None:
    one, other = report(("accuracy", 1.0, NAN, NAN)), report(("macro_f1", 1.0, NAN, NAN))
    assert dict(figure_differences(one, other, same_way=True)[["metric", "said"]].to_numpy()) == {
        "accuracy": "missing",
        "macro_f1": "new",
    }


def test_predictions_are_counted_image_by_image() -> None:
    row = prediction_differences(report(said="aabb"), report(said="abb")).iloc[0]
    assert (row["images"], row["changed"], row["missing"]) == (4, 1, 1)


def test_the_same_way_is_the_same_arithmetic_throughout() -> None:
    here = Arithmetic(precision="float32", device="cpu", processor="one", threads=1, deterministic=False, torch="2.15")
    way = [Stretch(after_step=0, arithmetic=here)]
    assert computed_alike(way, way)
    assert not computed_alike(way, [])
    assert not computed_alike([Stretch(after_step=0, arithmetic=None)], way)
    other = here.model_copy(update={"threads": 2})
    assert not computed_alike(way, [*way, Stretch(after_step=3, arithmetic=other)])

"""Figures as files: well-formed SVG, a PNG of some size, and people's names as they wrote them."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from avion_core.plots import results
from avion_core.plots.drawn import Drawn

HOSTILE = '<script>alert("1")</script> & $x^2$'


def letters(figure: Drawn) -> list[str]:
    return [text for text in ElementTree.fromstring(figure.svg).itertext() if text.strip()]


def measured(labels: list[str]) -> pd.DataFrame:
    count = len(labels)
    low = [np.nan, *[40.0] * (count - 1)]
    return pd.DataFrame({"label": labels, "value": 50.0, "low": low, "high": [np.nan, *[61.0] * (count - 1)]})


def one_of_each() -> dict[str, Drawn | None]:
    draw = np.random.default_rng(0)
    keys = [f"k{number}" for number in range(23)]
    points = pd.DataFrame(
        {
            "kind": ["image"] * 60 + ["prototype"] * 23 + ["description"] * 10,
            "class_key": [*draw.choice(["", *keys], 60), *keys, *keys[:10]],
            **{f"{axis}_{view}": draw.random(93) for axis in "xy" for view in ("teacher", "after")},
        }
    )
    table = pd.DataFrame({"step": [1, 2, 3], "loss": [3.0, np.nan, 1.0]})
    names = dict(zip(keys, [HOSTILE, *keys[1:]], strict=True))
    return {
        "intervals": results.intervals(measured([HOSTILE, "b"]), "percent", "accuracies"),
        "change": results.intervals(measured([HOSTILE, "b"]), "points", "changes", zero=True),
        "curves": results.curves({HOSTILE: table, "b": table}, "loss", "loss"),
        "confusion": results.confusion(draw.integers(0, 9, (23, 23)).tolist(), list(names.values())),
        "places": results.places(points, {"teacher": "Teacher", "after": HOSTILE}, names),
    }


@pytest.fixture(scope="module")
def figures() -> dict[str, Drawn | None]:
    return one_of_each()


@pytest.mark.parametrize("name", ["intervals", "change", "curves", "confusion", "places"])
def test_a_figure_is_two_files_that_say_names_as_they_are(figures, name: str) -> None:
    figure = figures[name]
    assert figure is not None
    assert any(HOSTILE in text for text in letters(figure))
    assert b"<script" not in figure.svg
    with Image.open(io.BytesIO(figure.png)) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200
        assert len(picture.convert("RGB").getcolors(2**24) or []) > 10  # something is drawn
    assert figure.alt


def test_the_same_figure_is_the_same_file(figures) -> None:
    again = one_of_each()["confusion"]
    assert figures["confusion"] is not None
    assert again is not None
    assert again.svg == figures["confusion"].svg


def test_curves_that_nobody_measured_are_no_figure() -> None:
    table = pd.DataFrame({"step": [1, 2], "loss": [np.nan, np.nan]})
    assert results.curves({"a": table}, "loss", "loss") is None
    assert results.curves({"a": table}, "accuracy", "accuracy") is None


def test_counts_stand_in_the_cells_of_a_confusion_matrix() -> None:
    assert {"17", "4"} <= set(letters(results.confusion([[17, 0], [4, 0]], ["a", "b"])))

"""The light chart of a map, and the colours of what is on it."""

from __future__ import annotations

import base64
import json

import numpy as np
import pandas as pd
import pytest

from app.components.maps import map_charts, map_colours
from app.components.maps.map_charts import Legend, map_view
from app.kit.palette import CUT, KEPT, colours
from avion_core.usecases.projects.summaries import ClassInfo

LEGEND = Legend(["a", "b", "c"], ["#000000", "#111111", "#222222"], ["circle", "diamond", "square"])


def points(count: int) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "row": range(100, 100 + count),
            "kind": ["image"] * (count - 3) + ["description", "description", "prototype"],
            "kept": pd.array([None] * (count - 3) + [True, False, None], dtype="boolean"),
            "x": draw.normal(size=count),
            "y": draw.normal(size=count),
            "code": np.arange(count) % 3,
            "name": [f"name {number}" for number in range(count)],
        }
    )


def sent(figure: object, trace: int, *names: str) -> list:
    """An array of a figure as the browser gets it."""
    found = json.loads(figure.to_json())["data"][trace]  # pyright: ignore[reportAttributeAccessIssue]
    for name in names:
        found = found[name]
    return np.frombuffer(base64.b64decode(found["bdata"]), found["dtype"]).tolist()


def test_points_are_sent_as_numbers_with_their_row_alone() -> None:
    figure = map_view(points(30), LEGEND, np.array([104]), ([0, 1], [0, 1]))
    assert [trace.name for trace in figure.data] == ["image", "description", "prototype"]
    assert [*sent(figure, 0, "customdata"), *sent(figure, 1, "customdata")] == list(range(100, 129))
    assert sent(figure, 0, "marker", "color") == [number % 3 for number in range(27)]
    assert sent(figure, 0, "marker", "symbol")[:4] == [0, 2, 1, 0]
    assert sent(figure, 1, "marker", "symbol") == [4, 104]  # a kept text and one that was cut
    assert [list(trace.selectedpoints) for trace in figure.data] == [[4], [], []]


def test_without_a_selection_nothing_is_faded() -> None:
    figure = map_view(points(10), LEGEND, np.array([], int), ([0, 1], [0, 1]))
    assert all(trace.selectedpoints is None for trace in figure.data)


def test_above_a_stated_number_names_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    few = map_view(points(30), LEGEND, np.array([], int), ([0, 1], [0, 1]))
    assert few.data[0].hovertext[0] == "name 0"
    monkeypatch.setattr(map_charts, "MOST_NAMED_POINTS", 29)
    many = map_view(points(30), LEGEND, np.array([], int), ([0, 1], [0, 1]))
    assert many.data[0].hovertext is None


def test_a_hundred_thousand_points_weigh_less_than_two_and_a_half_megabytes() -> None:
    figure = map_view(points(100_000), LEGEND, np.array([], int), ([0, 1], [0, 1]))
    assert len(figure.to_json()) < 2.5e6


def test_classes_keep_their_colour_whatever_is_shown_and_a_card_overrides_it() -> None:
    classes = [ClassInfo(key, key, 1, 1, 0, 0, colour="#123456" if key == "b" else "") for key in "abc"]
    everything = map_colours.legend("class", ["a", "b", "c", "-"], classes)
    part = map_colours.legend("class", ["c"], classes)
    assert part.colours == [everything.colours[2]] == [colours(["a", "b", "c"])["c"]]
    assert everything.colours[1] == "#123456"


def test_right_and_wrong_depend_on_who_looks() -> None:
    table = pd.DataFrame(
        {
            "kind": ["image", "image", "image", "description"],
            "class_key": ["a", "b", "", "a"],
            "nearest_teacher": ["a", "b", "a", "a"],
            "nearest_after": ["a", "a", "a", "b"],
        }
    )
    assert map_colours.values(table, "correct", "teacher", [], {}).tolist() == ["right", "right", "-", "-"]
    assert map_colours.values(table, "correct", "after", [], {}).tolist() == ["right", "wrong", "-", "-"]
    assert map_colours.legend("correct", ["right", "wrong"], []).colours == [KEPT, CUT]

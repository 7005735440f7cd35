"""The light chart of a map, and the colours of what is on it."""

from __future__ import annotations

import base64
import json

import numpy as np
import pandas as pd
import pytest

from app.components.maps import map_colours
from app.components.maps.map_charts import Beside, Legend, map_view
from app.components.maps.map_places import beside_each_other, class_labels, places
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


def test_the_pointer_s_point_is_told_to_the_card_and_no_name_is_sent() -> None:
    figure = map_view(points(30), LEGEND, np.array([], int), ([0, 1], [0, 1]))
    assert [trace.hoverinfo for trace in figure.data] == ["none"] * 3  # "skip" would tell nobody
    assert all(trace.hovertext is None and trace.hovertemplate is None for trace in figure.data)


def test_few_points_glide_and_many_are_drawn_as_ever() -> None:
    few = map_view(points(30), LEGEND, np.array([], int), ([0, 1], [0, 1]), Beside(glide=True))
    assert {trace.type for trace in few.data} == {"scatter"}
    assert few.layout.transition.duration > 0
    many = map_view(points(5_000), LEGEND, np.array([], int), ([0, 1], [0, 1]), Beside(glide=True))
    assert {trace.type for trace in many.data} == {"scattergl"}


def test_density_lies_below_the_points_is_thickest_where_they_are_and_cannot_be_picked() -> None:
    some = points(400)
    some["x"], some["y"] = np.r_[np.full(300, 0.25), np.full(100, 0.75)], np.full(400, 0.5)
    figure = map_view(some, LEGEND, np.array([], int), ([0, 1], [0, 1]), Beside(density=True))
    shades = figure.data[0]
    assert (shades.type, shades.hoverinfo, shades.customdata) == ("contour", "skip", None)
    thick = np.unravel_index(np.argmax(shades.z), shades.z.shape)
    assert abs(shades.x[thick[1]] - 0.25) < 0.03
    assert abs(shades.y[thick[0]] - 0.5) < 0.03
    row = shades.z[thick[0]]
    assert 0 < row[np.abs(shades.x - 0.75).argmin()] < row.max()


def test_a_class_is_named_where_most_of_its_images_lie() -> None:
    """Two groups of one class: a mean would name the empty ground between them."""
    x = [0.0, 0.1, 0.2, 0.1, 10.0, 5.0, 7.0]
    table = pd.DataFrame({"kind": ["image"] * 5 + ["description", "image"], "x": x, "y": [0.0] * 7})
    names = pd.Series(["a"] * 6 + ["no label"], index=range(40, 47))
    ((at, _, name),) = class_labels(table.set_index(pd.Index(range(40, 47))), names)
    assert (name, at) == ("a", pytest.approx(0.1))
    many = pd.DataFrame({"kind": "image", "x": range(100), "y": 0.0})
    assert class_labels(many, pd.Series([f"c{number}" for number in range(100)])) == []


def test_names_on_a_map_do_not_cover_each_other() -> None:
    extent = ([0.0, 100.0], [0.0, 100.0])  # 2 pixels a unit
    first = (50.0, 50.0, "dense residential")
    assert beside_each_other([first], extent, 200, 200) == [first]
    below = beside_each_other([first, (52.0, 51.0, "mobile home park")], extent, 200, 200)
    assert [words for *_, words in below] == ["dense residential", "mobile home park"]
    assert below[1][1] == pytest.approx(51.0 - 14.0)  # under its point
    names = ["dense residential", "mobile home park", "runway", "sparse residential", "tennis court"]
    many = beside_each_other([(51.0, 50.0, name) for name in names], extent, 200, 200)
    assert [words for *_, words in many] == names[:2]  # no place is left for the others: a name is wide for this view
    beside = beside_each_other([(51.0, 50.0, name) for name in ("a", "b", "c", "d", "e")], extent, 200, 200)
    assert [words for *_, words in beside] == ["a", "b", "c", "d"]
    assert beside[2][0] > 51.0 > beside[3][0]  # to the right, then to the left
    wider = beside_each_other([first, (80.0, 50.0, "runway")], extent, 400, 200)
    assert [words for *_, words in wider] == ["dense residential", "runway"]
    assert wider[1][1] == 50.0  # beside the first


def test_a_name_stays_inside_the_view() -> None:
    ((x, _, _),) = beside_each_other([(0.0, 50.0, "x" * 10)], ([0.0, 100.0], [0.0, 100.0]), 200, 200)
    assert x == pytest.approx((6.6 * 10 + 2) / 2 / 2)


def test_the_moving_view_goes_straight_from_before_to_after() -> None:
    table = pd.DataFrame({"x_before": [0.0], "y_before": [2.0], "x_after": [4.0], "y_after": [0.0], "x_teacher": [9.0]})
    for share, (x, y) in ((0.0, (0.0, 2.0)), (0.25, (1.0, 1.5)), (1.0, (4.0, 0.0))):
        assert [float(axis[0]) for axis in places(table, "moving", share)] == [x, y]
    assert places(table.assign(y_teacher=1.0), "teacher")[0].tolist() == [9.0]


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

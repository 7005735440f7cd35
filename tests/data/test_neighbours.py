"""Neighbours in groups: told by series, joined with the groups there are, never across a given split."""

from __future__ import annotations

import pandas as pd
import pytest

from avion_core.data.drawing import make_splits
from avion_core.data.neighbours import grouped, said_of_groups, series_of


def manifest(rows: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Rows of path, label, group, split; the path is the image's id."""
    table = pd.DataFrame(rows, columns=["path", "label", "group", "split"])
    return table.assign(image_id=table["path"])


def numbered(key: str, numbers: range, group: str = "", split: str = "") -> list[tuple[str, str, str, str]]:
    return [(f"{key}/{key}{number:02d}.png", key, group, split) for number in numbers]


def series(table: pd.DataFrame) -> list[str]:
    return [series_of(path) for path in table["path"]]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Forest/scene4_0_256.png", "scene4"),
        ("River/scene4_256_0.png", "scene4"),
        ("P0001__1__0___824.png", "P0001__1"),
        ("a/north_r2_c13.tif", "north"),
        ("forest/forest20.jpg", "forest/forest20-29"),
        ("forest/forest29.jpg", "forest/forest20-29"),
        ("forest/forest_030.jpg", "forest/forest_30-39"),
        ("07.png", "0-9"),
        ("Forest/harbour.png", ""),
    ],
)
def test_series_of_a_name(path, name):
    assert series_of(path) == name


def test_no_split_divides_a_series():
    table = manifest(numbered("forest", range(40)) + numbered("river", range(35)))
    found, problems = grouped(table, series(table), "series")
    assert (found["group"].nunique(), problems) == (8, [])
    splits = make_splits(found, dataset="x", together="series")
    assert splits.together == "series"
    for seed in splits.train:
        parts = [set(splits.test)]
        parts += [{i for of in part[seed].values() for i in of} for part in (splits.train, splits.validation)]
        for _, of in found.groupby("group"):
            assert sum(bool(part & set(of["image_id"])) for part in parts) <= 1


def test_groups_join_the_series_that_their_images_are_in():
    table = manifest(numbered("forest", range(12)) + numbered("river", range(30)))
    table.loc[[9, 10], "group"] = "one field"  # forest09 and forest10: across the border of two series
    table.loc[[12, 13], "group"] = "a bend"
    found, problems = grouped(table, series(table), "series")
    assert set(found["group"][:12]) == {"", "one field"}  # the whole class would be one group, so it stays apart
    assert [(problem.kind, problem.path) for problem in problems] == [("neighbours", "forest")]
    assert "figures on it may be too good" in problems[0].message
    assert set(found["group"][12:]) == {"river/river0-9", "river/river10-19", "river/river20-29"}


def test_two_series_that_share_a_group_become_one():
    table = manifest(numbered("forest", range(30)))
    table.loc[[9, 10], "group"] = "one field"
    found, _ = grouped(table, series(table), "series")
    assert found["group"].value_counts().to_dict() == {"forest/forest0-9": 20, "forest/forest20-29": 10}


def test_a_given_split_stays_where_it_is():
    table = manifest(numbered("forest", range(50, 75)) + numbered("forest", range(75, 100), split="test"))
    found, problems = grouped(table, series(table), "series")
    assert problems == []
    assert found["group"].value_counts().to_dict() == {
        "forest/forest50-59": 10, "forest/forest60-69": 10, "forest/forest70-79": 5,
        "forest/forest70-79 (test)": 5, "forest/forest80-89 (test)": 10, "forest/forest90-99 (test)": 10,
    }  # fmt: skip
    splits = make_splits(found, dataset="x")
    assert set(splits.test) == set(table.loc[table["split"] == "test", "image_id"])
    assert {image[-6:-4] for image in splits.validation[1]["forest"]} <= {"70", "71", "72", "73", "74"}


def test_an_unmarked_group_goes_with_its_marked_images():
    table = manifest([*numbered("a", range(20)), *numbered("a", range(20, 40), split="test")])
    table.loc[[19, 20], "group"] = "both"
    found, _ = grouped(table, series(table), "series")
    splits = make_splits(found, dataset="x")
    assert "a/a19.png" in splits.test  # its group is marked
    assert not any(f"a/a{number}.png" in splits.test for number in range(19))


def test_a_class_of_one_series_alone_leaves_other_classes_in_it_together():
    rows = [(f"s1_{n}_0.png", "river" if n < 3 else "lake", "", "") for n in range(6)]
    rows += [(f"s2_{n}_0.png", "lake", "", "") for n in range(4)]
    table = manifest(rows)
    found, problems = grouped(table, series(table), "series")
    assert [problem.path for problem in problems] == ["river"]
    assert list(found["group"]) == [""] * 3 + ["s1"] * 3 + ["s2"] * 4


def test_the_order_of_rows_changes_nothing():
    table = manifest(numbered("forest", range(30)) + numbered("river", range(30)))
    table.loc[[9, 10], "group"] = "one field"
    shuffled = table.sample(frac=1, random_state=4)
    one, other = (grouped(of, series(of), "series")[0].set_index("image_id")["group"] for of in (table, shuffled))
    assert one.sort_index().equals(other.sort_index())


def test_what_is_said_of_groups():
    table = manifest([*numbered("forest", range(30)), ("forest/odd.png", "forest", "", "")])
    found, _ = grouped(table, series(table), "series")
    said = "Neighbours are kept together by their files' names: 30 images in 3 groups; 1 image has no group."
    assert said_of_groups(found, "series") == said

"""Projects that keep neighbours together, in each of the three ways."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from avion_core.actor import ALONE
from avion_core.data.splits import Splits
from avion_core.errors import DataError, NotFoundError
from avion_core.store.home import Home
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.creating import create_project, open_demo
from avion_core.usecases.projects.labels import draw_splits, give_labels
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from tests import tiny_studio
from tests.scenes import scene

DEFAULTS = tiny_studio.DEFAULTS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of 24 pictures; in each, six places with four pictures."""
    rows = []
    for key, first in (("forest", 0), ("river", 100)):
        (tmp_path / "images" / key).mkdir(parents=True)
        for number in range(24):
            name = f"{key}/{number:02d}.png"
            scene(first + number, (48, 40)).save(tmp_path / "images" / name)
            rows.append((name, key, 47 + (number % 6) * 0.5 + number * 1e-5, 8 + (key == "river")))
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "lat", "lon"), *rows])
    return tmp_path / "images"


def sides(splits: Splits, seed: int) -> dict[str, str]:
    part = dict.fromkeys(splits.test, "test")
    part |= {image: "validation" for of in splits.validation[seed].values() for image in of}
    return part | {image: "train" for of in splits.train[seed].values() for image in of}


def divided(home: Home, project: str) -> int:
    """How many groups lie in more than one part of some seed's split."""
    manifest, splits = read_manifest(home, project), read_splits(home, project)
    parts = [manifest["image_id"].map(sides(splits, seed)) for seed in splits.train]
    return sum(int((part.groupby(manifest["group"]).nunique() > 1).sum()) for part in parts)


@pytest.mark.parametrize(("together", "groups"), [("series", 6), ("place", 12), ("features", 6)])
def test_no_split_divides_neighbours_and_it_is_recorded(home, root, tiny_towers, together, groups):
    labels = root.parent / "labels.csv"
    made = create_project(home, "new", root, labels=labels, together=together, block_km=5, defaults=DEFAULTS)
    assert made.together == read_splits(home, made.id).together == together
    assert read_manifest(home, made.id)["group"].nunique() == groups
    assert divided(home, made.id) == 0
    (entry,) = [entry for entry in journal_entries(home, made.id) if entry.kind == "project"]
    assert f"48 images in {groups} groups" in entry.sentence
    assert ("Blocks of ground are 5 km wide." in entry.sentence) is (together == "place")


def test_without_it_each_image_is_on_its_own(home, root):
    made = create_project(home, "new", root, defaults=DEFAULTS)
    assert made.together is None
    assert set(read_manifest(home, made.id)["group"]) == {""}


def test_images_without_a_place_are_told(home, root):
    labels = root.parent / "labels.csv"
    lines = labels.read_text().splitlines()
    lines[3] = "forest/02.png,forest,,"
    labels.write_text("\n".join(lines))
    made = create_project(home, "new", root, labels=labels, together="place", block_km=5, defaults=DEFAULTS)
    (problem,) = [problem for problem in made.problems if problem.kind == "no_place"]
    assert (problem.path, problem.message[:45]) == ("forest/02.png", "1 image does not say where they were taken: t")


def test_what_cannot_be_told_is_refused_before_a_project_is_there(home, root):
    with pytest.raises(DataError, match="No image says where it was taken"):
        create_project(home, "new", root, together="place", defaults=DEFAULTS)
    with pytest.raises(NotFoundError, match="are not installed"):
        create_project(home, "new", root, together="features", teacher="georsclip-vit-h-14")
    with pytest.raises(NotFoundError):
        get_project(home, "new")


def test_a_draw_from_later_labels_keeps_it(home, root):
    made = create_project(home, "new", root, class_folders=False, together="series", defaults=DEFAULTS)
    assert (made.drawn, made.together) == (False, "series")
    for key in ("forest", "river"):
        add_class(home, made.id, key)
    manifest = read_manifest(home, made.id)
    keys = manifest["path"].str.split("/").str[0]
    give_labels(home, made.id, dict(zip(manifest["image_id"], keys, strict=True)))
    assert draw_splits(home, made.id).together == "series"
    assert divided(home, made.id) == 0


def test_the_demo_keeps_likeness_together_and_its_test_set(tmp_path):
    """Its groups ship in labels.csv, so that opening it embeds nothing."""
    home = Home(tmp_path / "new", ALONE)
    made = open_demo(home, "ucmerced")
    assert made.together == "features"
    assert divided(home, made.id) == 0
    manifest, splits = read_manifest(home, made.id).set_index("image_id"), read_splits(home, made.id)
    assert set(splits.test) == set(manifest.index[manifest["split"] == "test"])
    pool = manifest[manifest["split"] == ""]
    assert pool.groupby("group").size().mean() > 5
    for seed in (1, 2, 3):
        for key, held_out in splits.validation[seed].items():
            assert len(held_out) >= 3
            groups = set(manifest.loc[list(held_out), "group"])
            assert groups.isdisjoint(manifest.loc[list(splits.train[seed][key]), "group"])

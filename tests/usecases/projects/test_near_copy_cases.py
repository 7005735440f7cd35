"""Near-copies in a project that was made before they were looked for."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from avion_core.data.splits import Splits
from avion_core.errors import DataError
from avion_core.store.home import Home
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.projects.creating import create_project, write_splits
from avion_core.usecases.projects.near_copies import seek_near_copies
from avion_core.usecases.projects.summaries import SOUGHT, ProjectSummary, get_project, read_manifest, read_splits
from tests import tiny_studio
from tests.scenes import scene


@pytest.fixture
def old(home: Home, tmp_path) -> ProjectSummary:
    """Two classes of ten pictures and a copy of four, in parts that nobody chose: as an earlier version left it."""
    for key, first in (("forest", 0), ("river", 100)):
        (tmp_path / "old" / key).mkdir(parents=True)
        for number in range(10):
            scene(first + number, (64, 56)).save(tmp_path / "old" / key / f"{number:02d}.png")
    for number in range(4):
        turned = scene(number, (64, 56)).rotate(90 * number, expand=True)
        turned.save(tmp_path / "old" / "forest" / f"copy {number}.jpg", quality=85)
    made = create_project(home, "old", tmp_path / "old", defaults=tiny_studio.DEFAULTS)
    folder = home.project_folder(made.id)
    (folder / SOUGHT).unlink()
    (folder / "problems.json").write_text("[]")
    image = read_manifest(home, made.id).set_index("path")["image_id"]
    forest = {"train": ("00.png", "01.png", "03.png"), "validation": ("copy 1.jpg",), "test": ("02.png", "copy 0.jpg")}
    parts = {part: tuple(image[f"forest/{name}"] for name in names) for part, names in forest.items()}
    rest = tuple(image[f"river/{number:02d}.png"] for number in range(10))
    splits = Splits(
        (*parts["test"], image["forest/copy 2.jpg"], *rest[:4]),
        {1: {"forest": parts["validation"], "river": rest[4:6]}},
        {1: {"forest": (*parts["train"], image["forest/copy 3.jpg"]), "river": rest[6:]}},
    )
    write_splits(folder, splits)
    return get_project(home, "old")


def test_they_are_told_with_the_parts_that_they_lie_in(home, old):
    assert (old.near_copies_sought, old.problems) == (False, [])
    before = read_splits(home, old.id)
    told = seek_near_copies(home, "old")
    assert {problem.path[-6:-4]: problem.message.split(". ")[1] for problem in told} == {
        "00": "They lie on both sides of the test seal, so test figures are too good",
        "01": "Seed 1 trains on one and validates on another, so validation figures are too good",
        "02": "No split divides them.",
        "03": "No split divides them.",
    }
    assert all(problem.message.startswith("It shows the same as forest/copy ") for problem in told)
    now = get_project(home, "old")
    assert (now.near_copies_sought, now.problems) == (True, told)
    assert read_splits(home, old.id) == before
    assert "Looked for near-copies: 4 sets found." in [entry.sentence for entry in journal_entries(home, old.id)]


def test_looking_again_says_the_same_once_and_keeps_other_problems(home, old):
    folder = home.project_folder(old.id)
    (folder / "problems.json").write_text('[{"kind": "blank", "path": "a", "message": "b"}]')
    first = seek_near_copies(home, "old")
    assert seek_near_copies(home, "old") == first
    assert [problem.kind for problem in get_project(home, "old").problems] == ["blank"] + ["near_copy"] * 4


def test_what_cannot_be_read_is_passed_over_and_counted(home, old):
    (old.image_root / "forest" / "copy 0.jpg").unlink()
    Image.new("RGB", (3, 3)).save(old.image_root / "river" / "00.png")
    assert len(seek_near_copies(home, "old")) == 3
    assert any("1 image could not be read" in entry.sentence for entry in journal_entries(home, old.id))
    shutil.rmtree(old.image_root)
    with pytest.raises(DataError, match="None of the project's images can be read"):
        seek_near_copies(home, "old")


def test_a_new_project_is_looked_through_already(home, project):
    assert project.near_copies_sought

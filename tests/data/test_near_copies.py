# pyright: reportCallIssue=false
"""Near-copies: the same picture in another form is found, other pictures are not, and no split divides them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avion_core.data import Problem, make_splits, scan_folder
from avion_core.data.labels import ImageLabel
from avion_core.data.near_copies import glimpse, joined, near_copies
from avion_core.data.neighbours import keep_together, series_of
from tests.scenes import scene

Change = Callable[[Image.Image], Image.Image]


def encoded(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


FORMS: dict[str, Change] = {
    "jpeg": lambda picture: encoded(picture, 75),
    "coarse jpeg": lambda picture: encoded(picture, 40),
    "half": lambda picture: picture.resize((60, 48), Image.Resampling.LANCZOS),
    "third, other filter": lambda picture: picture.resize((40, 32), Image.Resampling.BICUBIC),
    "larger": lambda picture: picture.resize((300, 240)),
    "square": lambda picture: picture.resize((96, 96)),
    "large": lambda picture: picture.resize((1300, 1040)),
    "half, turned, jpeg": lambda picture: encoded(picture.resize((60, 48)).transpose(Image.Transpose.ROTATE_90), 80),
    **{turn.name.lower(): lambda picture, turn=turn: picture.transpose(turn) for turn in Image.Transpose},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_picture_is_found_and_no_other(form):
    pictures = [scene(number) for number in range(40)]
    changed = FORMS[form](pictures[7])
    assert near_copies([glimpse(picture) for picture in [*pictures, changed]]) == [[7, 40]]


@pytest.mark.parametrize("few", [6, 60])
def test_a_border_or_a_mark_that_pictures_share_is_no_likeness(few):
    def marked(number: int, kind: str) -> Image.Image:
        pixels = np.array(scene(number))
        rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
        if kind == "border":
            pixels[(rows < 10) | (rows > 85) | (columns < 12) | (columns > 107)] = 0
        elif kind == "corner":
            pixels[rows + columns < 110] = 255
        else:
            pixels[75:90, 60:110] = 255
        return Image.fromarray(pixels)

    for kind in ("border", "corner", "scale bar"):
        assert near_copies([glimpse(marked(number, kind)) for number in range(few)]) == [], kind


def test_copies_within_a_border_are_found():
    pixels = np.array(scene(3))
    pixels[:12] = 0
    copy = encoded(Image.fromarray(pixels), 80)
    assert near_copies([glimpse(scene(1)), glimpse(Image.fromarray(pixels)), glimpse(copy)]) == [[1, 2]]


def test_small_and_plain_pictures_are_not_compared():
    assert glimpse(Image.new("RGB", (200, 200), (20, 90, 30))) is None
    assert glimpse(scene(1).resize((7, 40))) is None
    assert glimpse(Image.new("RGB", (64, 64))) is None
    assert glimpse(Image.linear_gradient("L").convert("RGB")) is None
    assert near_copies([None, glimpse(scene(1)), None]) == []


@pytest.mark.parametrize("side", [8, 10, 12, 15])
@pytest.mark.parametrize("filter_", [Image.Resampling.LANCZOS, Image.Resampling.BOX])
@pytest.mark.parametrize("turn", [None, *Image.Transpose])
def test_much_smaller_copies_are_found_under_any_name(side, filter_, turn):
    pictures = [scene(number) for number in range(40)]
    small = pictures[7].resize((side, side), filter_)
    small = small if turn is None else small.transpose(turn)
    assert near_copies([glimpse(picture) for picture in [*pictures, small]]) == [[7, 40]]


def test_small_pictures_of_something_else_are_no_copies():
    pictures = [scene(number) for number in range(60)]
    small = [scene(number).resize((10, 10)) for number in range(100, 140)]
    assert near_copies([glimpse(picture) for picture in [*pictures, *small]]) == []
    plain = Image.new("RGB", (10, 10), tuple(np.asarray(pictures[3]).reshape(-1, 3).mean(axis=0).astype(int)))
    assert near_copies([glimpse(picture) for picture in [*pictures, plain]]) == []


def test_a_small_copy_of_one_with_copies_joins_them():
    pictures = [scene(number) for number in range(30)]
    turned = pictures[4].rotate(180)
    small, smaller = (pictures[4].resize((side, side)) for side in (14, 10))
    everything = [*pictures, turned, small, smaller]
    assert near_copies([glimpse(picture) for picture in everything]) == [[4, 30, 31, 32]]


def test_overlapping_neighbours_are_no_copies():
    ground = scene(5, (400, 400))
    tiles = [ground.crop((x, 100, x + 120, 220)) for x in range(0, 280, 40)]
    assert near_copies([glimpse(tile) for tile in tiles]) == []


def test_what_is_joined_by_pairs():
    assert joined([(4, 2), (9, 8), (2, 7), (7, 4)]) == [[2, 4, 7], [8, 9]]
    assert joined([]) == []


class TestScan:
    @pytest.fixture
    def root(self, tmp_path) -> Path:
        """Ten pictures in each of two classes; six of one lie there as JPEG too, in another folder and turned."""
        for name, first in (("Forest", 0), ("River", 10)):
            (tmp_path / name).mkdir()
            for number in range(10):
                scene(first + number).save(tmp_path / name / f"{number:02d}.png")
        for number in range(6):
            turned = scene(number).rotate(90 * number, expand=True)
            turned.save(tmp_path / "Forest" / f"copy {number}.jpg", quality=85)
        return tmp_path

    def test_both_paths_are_told_and_no_split_divides_them(self, root):
        scan = scan_folder(root)
        assert [problem.path for problem in scan.problems] == [f"Forest/{number:02d}.png" for number in range(6)]
        said = "It shows the same as Forest/copy 0.jpg. They are kept on one side of every split."
        assert scan.problems[0] == Problem("near_copy", "Forest/00.png", said)
        splits = make_splits(scan.manifest, dataset="x", max_shots=4)
        for seed in splits.train:
            parts = [set(splits.test)]
            parts += [{i for of in part[seed].values() for i in of} for part in (splits.train, splits.validation)]
            for _, together in scan.manifest[scan.manifest["group"] != ""].groupby("group"):
                assert sum(bool(part & set(together["image_id"])) for part in parts) <= 1

    def test_copies_under_another_label_are_told(self, root):
        scene(0).resize((60, 48)).save(root / "River" / "zz.png")
        (root / "loose.jpg").write_bytes((root / "Forest" / "copy 1.jpg").read_bytes() + b" ")
        messages = {problem.path: problem.message for problem in scan_folder(root).problems}
        assert "Forest/copy 0.jpg, River/zz.png (River)." in messages["Forest/00.png"]
        assert "Forest/copy 1.jpg, loose.jpg (unlabelled)." in messages["Forest/01.png"]

    def test_a_thumbnail_under_another_name_is_told(self, root):
        scene(12).resize((10, 10)).save(root / "River" / "thumb_q.png")
        said = {problem.path: problem.message for problem in scan_folder(root).problems}
        assert "River/thumb_q.png. They are kept on one side" in said["River/02.png"]

    def test_a_given_split_stays_and_is_told(self, root):
        file = root.parent / f"{root.name}.csv"
        rows = [(path, path.parent.name, "test" if path.suffix == ".jpg" else "train") for path in root.rglob("*.*g")]
        lines = [f"{path.relative_to(root).as_posix()},{label},{split}\n" for path, label, split in rows]
        file.write_text("path,label,split\n" + "".join(lines))
        scan = scan_folder(root, labels=file)
        assert set(scan.manifest["group"]) == {""}
        assert len(scan.problems) == 6
        assert "has such copies on both sides (test, train): figures on it are too good" in scan.problems[0].message


class TestGroups:
    def test_those_of_near_copies_become_one(self):
        labels = [ImageLabel("a", "north"), ImageLabel("a", "south"), ImageLabel("a"), ImageLabel("a", "west")]
        groups, problems = keep_together(["p", "q", "r", "s"], labels, [[1, 2], [0, 2]])
        assert groups == ["north", "north", "north", "west"]
        assert [problem.path for problem in problems] == ["q", "p"]

    def test_an_unmarked_copy_follows_the_marked_one(self):
        labels = [ImageLabel("a", split="test"), ImageLabel("a"), ImageLabel("a"), ImageLabel("b"), ImageLabel("b")]
        assert keep_together(["p.png", "q", "r", "s", "t"], labels, [[0, 1]])[0] == ["p", "p", "", "", ""]

    def test_a_class_that_is_copies_alone_is_told_and_can_be_drawn(self):
        labels = [ImageLabel("a"), ImageLabel("a"), ImageLabel("b"), ImageLabel("b"), ImageLabel("b")]
        groups, problems = keep_together(["p", "q", "r", "s", "t"], labels, [[0, 1], [2, 3]])
        assert groups == ["", "", "r", "r", ""]
        assert "all that its class has, so they may lie on both sides of a split" in problems[0].message
        assert "kept on one side" in problems[1].message

    def test_many_copies_are_counted(self):
        labels = [ImageLabel("a")] * 9
        (problem,) = keep_together(list("abcdefghi"), labels, [list(range(8))])[1]
        assert "the same as b, c, d, e and 3 more." in problem.message


class TestSeries:
    @pytest.mark.parametrize(
        ("path", "series"),
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
    def test_of_a_name(self, path, series):
        assert series_of(path) == series

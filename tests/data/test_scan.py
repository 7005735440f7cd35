# pyright: reportCallIssue=false
"""From a folder to a manifest: every doubtful file is reported, and none is fatal."""

from __future__ import annotations

import os
import random
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image

from avion_core.data import Problem, RenderingRecipe, content_id, scan_folder
from avion_core.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def picture(path: Path, colour: int, size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = Image.new("RGB", size, (colour, 20, 30))
    drawn.putpixel((0, 0), (255, 255, 255))  # one colour alone would be told as showing nothing
    drawn.save(path)
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    """Two classes of three pictures, one picture without a class."""
    for number, name in enumerate(["Forest/a.png", "Forest/b.png", "Forest/c.tif", "River/a.png", "River/b.png"]):
        picture(tmp_path / name, number)
    picture(tmp_path / "River" / "été 森.png", 5)
    picture(tmp_path / "loose.png", 6)
    return tmp_path


def kinds(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.kind, problem.path) for problem in problems]


def labels_csv(root: Path, text: str, name: str = "labels.csv") -> Path:
    file = root.parent / f"{root.name}-{name}"
    file.write_text(text, encoding="utf-8")
    return file


def test_class_folders_give_a_sorted_typed_manifest(root):
    scan = scan_folder(root)
    assert scan.problems == []
    assert scan.manifest["path"].tolist() == [
        "Forest/a.png", "Forest/b.png", "Forest/c.tif", "River/a.png", "River/b.png", "River/été 森.png", "loose.png",
    ]  # fmt: skip
    assert scan.manifest["label"].tolist() == ["Forest"] * 3 + ["River"] * 3 + [""]
    first = scan.manifest.iloc[0].to_dict()
    assert first == {
        "image_id": content_id(root / "Forest/a.png"),
        "path": "Forest/a.png",
        "label": "Forest",
        "group": "",
        "split": "",
        "width": 8,
        "height": 6,
        "bands": 3,
        "depth": "byte",
        "bytes": (root / "Forest/a.png").stat().st_size,
    }


def test_the_manifest_goes_through_parquet_unchanged(root, tmp_path):
    manifest = scan_folder(root).manifest
    manifest.to_parquet(tmp_path / "manifest.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "manifest.parquet"), manifest)


def test_folders_inside_a_class_are_groups(root):
    picture(root / "Forest/flight 1/north/x.png", 50)
    picture(root / "River/flight 1/north/y.png", 51)
    manifest = scan_folder(root).manifest
    assert set(manifest.loc[manifest["group"] != "", "path"]) == {
        "Forest/flight 1/north/x.png",
        "River/flight 1/north/y.png",
    }
    assert set(manifest["group"]) == {"", "flight 1/north"}


def test_progress_counts_every_picture(root):
    calls = []
    scan_folder(root, progress=lambda *call: calls.append(call))
    assert calls == [*((done, 7, "reading images") for done in range(1, 8)), (7, 7, "looking for near-copies")]


def test_the_order_of_the_file_system_changes_nothing(root, monkeypatch):
    picture(root / "River/copy.png", 0)  # of Forest/a.png, so that a choice has to be made
    expected = scan_folder(root)
    walk = os.walk

    def scrambled(*arguments, **options):
        for folder, folders, files in walk(*arguments, **options):
            random.Random(1).shuffle(folders)
            yield folder, folders, random.Random(2).sample(files, len(files))

    monkeypatch.setattr(os, "walk", scrambled)
    again = scan_folder(root)
    pd.testing.assert_frame_equal(again.manifest, expected.manifest)
    assert again.problems == expected.problems


def test_unusable_files_are_reported_and_the_rest_is_kept(root):
    (root / "Forest/empty.png").touch()
    (root / "Forest/text.jpg").write_text("hello")
    (root / "Forest/cut.png").write_bytes((root / "Forest/a.png").read_bytes()[:45])
    picture(root / "Forest/huge.tif", 1, (8200, 8200))
    with rasterio.open(
        root / "Forest/deep.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="uint16"
    ) as raster:
        raster.write(np.arange(16, dtype=np.uint16).reshape(1, 4, 4))
    (root / "Forest/notes.bmp").write_bytes(b"BM")
    (root / "River/more.BMP").write_bytes(b"BM")
    (root / "River/gone.png").symlink_to(root / "nowhere.png")
    (root / ".hidden").mkdir()
    (root / ".hidden/x.png").touch()
    (root / "River/._a.png").touch()
    scan = scan_folder(root)
    assert len(scan.manifest) == 7
    assert kinds(scan.problems) == [
        ("corrupt", "Forest/cut.png"),
        ("needs_recipe", "Forest/deep.tif"),
        ("empty", "Forest/empty.png"),
        ("oversize", "Forest/huge.tif"),
        ("unsupported", "Forest/notes.bmp"),
        ("corrupt", "Forest/text.jpg"),
        ("unreadable", "River/gone.png"),
    ]
    messages = {problem.path: problem.message for problem in scan.problems}
    assert "2 files ending in “.bmp” left out; images end in .png, .jpg" in messages["Forest/notes.bmp"]
    assert "a broken link" in messages["River/gone.png"]
    assert "Set a fixed stretch in the rendering recipe" in messages["Forest/deep.tif"]
    with_recipe = scan_folder(root, recipe=RenderingRecipe(low=(0,), high=(255,)))
    assert "Forest/deep.tif" in with_recipe.manifest["path"].tolist()


def test_a_name_that_is_no_text_is_reported(root):
    target = os.fsencode(root / "River") + b"/\xff\xfe.png"
    with open(target, "wb") as file:
        file.write((root / "River/a.png").read_bytes())
    scan = scan_folder(root)
    assert kinds(scan.problems) == [("unreadable_name", r"River/\udcff\udcfe.png")]
    assert "rename the file" in scan.problems[0].message
    assert len(scan.manifest) == 7


def test_linked_class_folders_are_followed_once(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    picture(elsewhere / "x.png", 77)
    (root / "Lake").symlink_to(elsewhere)
    (root / "River/loop").symlink_to(root)
    scan = scan_folder(root)
    assert scan.problems == []
    assert scan.manifest["label"].tolist().count("Lake") == 1
    assert len(scan.manifest) == 8


class TestCopies:
    def test_of_one_label_are_kept_once(self, root):
        picture(root / "Forest/z copy.png", 0)
        scan = scan_folder(root)
        assert scan.manifest["path"].tolist().count("Forest/a.png") == 1
        assert len(scan.manifest) == 7
        message = "The same image as Forest/z copy.png (Forest). It was kept once."
        assert scan.problems == [Problem("duplicate", "Forest/a.png", message)]

    def test_of_two_labels_are_kept_once_and_unlabelled(self, root):
        picture(root / "River/z copy.png", 0)
        scan = scan_folder(root)
        (row,) = scan.manifest.loc[scan.manifest["path"] == "Forest/a.png"].to_dict("records")
        assert row["label"] == ""
        assert len(scan.manifest) == 7
        (problem,) = scan.problems
        assert problem.kind == "conflict"
        assert "The same image as River/z copy.png (River), under another label" in problem.message
        assert "kept once, without a label" in problem.message

    def test_the_labelled_one_stands_for_the_unlabelled(self, root):
        picture(root / "A first.png", 0)
        scan = scan_folder(root)
        assert "A first.png" not in scan.manifest["path"].tolist()
        assert "as A first.png (unlabelled)" in scan.problems[0].message

    def test_across_fixed_splits_go_to_the_test_set(self, root):
        picture(root / "copy.png", 0)
        file = labels_csv(root, "path,label,split\nForest/a.png,Forest,train\ncopy.png,Forest,test\n")
        scan = scan_folder(root, labels=file)
        (row,) = scan.manifest.loc[scan.manifest["path"] == "Forest/a.png"].to_dict("records")
        assert row["split"] == "test"
        assert kinds(scan.problems) == [("conflict", "Forest/a.png")]
        assert "in another split. It was kept once, in test" in scan.problems[0].message


class TestLayout:
    def test_class_names_that_collide(self, root):
        picture(root / "forest_/x.png", 60)
        (problem,) = scan_folder(root).problems
        assert problem.kind == "name_collision"
        assert "Forest, forest_ would all be called “forest”" in problem.message

    def test_split_folders_are_not_taken_for_classes_in_silence(self, tmp_path):
        picture(tmp_path / "train/Forest/a.png", 0)
        picture(tmp_path / "test/Forest/b.png", 1)
        (problem,) = scan_folder(tmp_path).problems
        assert problem.kind == "layout"
        assert "The folders test, train look like splits: they hold the same sub-folders (Forest)." in problem.message

    def test_one_folder_too_high_is_read_past(self, tmp_path):
        picture(tmp_path / "Images/Forest/a.png", 0)
        picture(tmp_path / "Images/River/b.png", 1)
        scan = scan_folder(tmp_path)
        assert (set(scan.manifest["label"]), scan.problems) == ({"Forest", "River"}, [])


class TestLabelFiles:
    ROWS = (
        "path,label,group,split\n"
        "Forest/a.png, woods ,mosaic 1,train\n"
        ".\\River\\b.png,river,,\n"
        "loose.png,,mosaic 1,test\n"
    )

    def test_a_csv_alone_gives_the_labels(self, root):
        scan = scan_folder(root, labels=labels_csv(root, self.ROWS))
        assert scan.problems == []
        manifest = scan.manifest.set_index("path")[["label", "group", "split"]]
        assert manifest.loc["Forest/a.png"].tolist() == ["woods", "mosaic 1", "train"]
        assert manifest.loc["River/b.png"].tolist() == ["river", "", ""]
        assert manifest.loc["loose.png"].tolist() == ["", "mosaic 1", "test"]
        assert manifest.loc["Forest/b.png"].tolist() == ["", "", ""]

    def test_a_label_file_among_the_pictures_is_no_problem(self, root):
        (root / "labels.csv").write_text(self.ROWS)
        assert scan_folder(root, labels=root / "labels.csv").problems == []
        assert kinds(scan_folder(root).problems) == [("unsupported", "labels.csv")]

    def test_parquet_says_the_same_whatever_its_types(self, root, tmp_path):
        rows = pd.DataFrame(
            {"Path": ["Forest/a.png", str(root / "River/b.png")], "label": [3.0, None], "group": [1, 2]}
        )
        rows.to_parquet(tmp_path / "labels.parquet")
        manifest = scan_folder(root, labels=tmp_path / "labels.parquet").manifest.set_index("path")
        assert manifest.loc["Forest/a.png", ["label", "group"]].tolist() == ["3", "1"]
        assert manifest.loc["River/b.png", ["label", "group"]].tolist() == ["", "2"]

    def test_an_accent_may_be_written_in_two_ways(self, root):
        file = labels_csv(root, "path,label\nRiver/e\u0301te\u0301 森.png,stream\n")
        manifest = scan_folder(root, labels=file).manifest
        assert manifest.loc[manifest["label"] == "stream", "path"].tolist() == ["River/été 森.png"]

    def test_rows_that_fit_nothing_or_disagree_are_reported(self, root):
        file = labels_csv(
            root,
            "path,label\nForest/a.png,forest\nForest/a.png,wood\nRiver/a.png,river\nRiver/a.png,river\n"
            "../secret.png,x\nRiver/zzz.png,river\nRiver/b.png,ri\ufffdver\n",
        )
        scan = scan_folder(root, labels=file)
        assert kinds(scan.problems) == [
            ("missing", "../secret.png"),
            ("conflict", "Forest/a.png"),
            ("unreadable_label", "River/b.png"),
            ("missing", "River/zzz.png"),
        ]
        messages = [problem.message for problem in scan.problems]
        assert "the folder has no such image" in messages[0]
        assert "different labels (forest, wood); it was left unlabelled" in messages[1]
        assert "'ri\ufffdver' is not a usable class name; it was left unlabelled" in messages[2]
        labelled = scan.manifest.loc[scan.manifest["label"] != "", ["path", "label"]]
        assert labelled.to_numpy().tolist() == [["River/a.png", "river"]]

    def test_labels_that_are_no_single_value_are_reported(self, root, tmp_path_factory):
        file = tmp_path_factory.mktemp("labels") / "l.parquet"
        pd.DataFrame({"path": ["Forest/a.png"], "label": [["forest", "wood"]]}).to_parquet(file)
        scan = scan_folder(root, labels=file)
        assert kinds(scan.problems) == [("unreadable_label", "Forest/a.png")]

    @pytest.mark.parametrize(
        ("text", "name", "what", "hint"),
        [
            ("path|label\na.png|forest\n", "l.csv", "no column path and no column label: path|label", "by commas"),
            ("path,class\na.png,forest\n", "l.csv", "no column label: path, class", "group and split are optional"),
            ("", "l.csv", "label file is empty", "needs a header"),
            ('path,label\n"a.png,forest\n', "l.csv", "line 2 of the label file is not CSV", "Check its quotes"),
            (
                "nonsense",
                "l.parquet",
                "label file is not a Parquet file that can be read",
                "Export it again as Parquet or CSV UTF-8",
            ),
            (
                "path,label\n",
                "l.ods",
                "label file has an unknown file type",
                "ending in .csv, .xlsx, .parquet, .json or .jsonl",
            ),
            (
                "path,label,split\nloose.png,x,later\n",
                "l.csv",
                "a split that does not exist: later",
                "train, validation, test",
            ),
            ("path,label\nb/x.png,forest\n", "l.csv", "no row of the label file matches", "as in Forest/a.png"),
        ],
    )
    def test_files_that_cannot_be_used_as_a_whole_are_refused(self, root, text, name, what, hint):
        with pytest.raises(DataError) as caught:
            scan_folder(root, labels=labels_csv(root, text, name))
        assert what.lower() in str(caught.value).lower()
        assert hint in str(caught.value)

    def test_missing_file_and_wrong_encoding_are_refused(self, root):
        with pytest.raises(DataError, match=r"label file does not exist: .*gone\.csv.* Check the path"):
            scan_folder(root, labels=root / "gone.csv")
        file = labels_csv(root, "")
        file.write_bytes("path,label\nloose.png,forêt\n".encode("latin-1"))
        with pytest.raises(DataError, match=r"label file is not UTF-8 .line 2.*Save it again with the encoding UTF-8"):
            scan_folder(root, labels=file)


class TestFoldersThatCannotBeUsed:
    def test_missing(self, tmp_path):
        with pytest.raises(DataError, match=r"image folder does not exist: .*gone.*Check the path"):
            scan_folder(tmp_path / "gone")

    def test_a_file(self, tmp_path):
        with pytest.raises(DataError, match="image folder does not exist"):
            scan_folder(picture(tmp_path / "a.png", 1))

    def test_without_pictures(self, tmp_path):
        (tmp_path / "a.txt").touch()
        with pytest.raises(DataError, match=r"folder holds no image: .*Image files end in \.png, \.jpg, \.jpeg"):
            scan_folder(tmp_path)

    def test_only_bad_pictures_give_an_empty_manifest_and_their_problems(self, tmp_path):
        (tmp_path / "a.png").touch()
        scan = scan_folder(tmp_path)
        assert scan.manifest.empty
        assert scan.manifest["width"].dtype == "int64"
        assert kinds(scan.problems) == [("empty", "a.png")]


class TestGivenSplitsInTables:
    @pytest.mark.parametrize(
        ("word", "split"),
        [
            ("Train", "train"), ("training", "train"), ("val", "validation"), ("valid", "validation"),
            ("dev", "validation"), ("TEST", "test"), ("testing", "test"), ("test_set", "test"), ("", ""),
        ],
    )  # fmt: skip
    def test_are_read_by_every_common_word(self, root, word, split):
        scan = scan_folder(root, labels=labels_csv(root, f"path,label,split\nForest/a.png,woods,{word}\n"))
        assert scan.manifest.set_index("path").loc["Forest/a.png", "split"] == split

    @pytest.mark.parametrize("order", ["{split}/{label}", "{label}/{split}"])
    def test_folders_that_a_table_passes_over_are_told(self, tmp_path, order):
        rows = []
        for place, (split, label) in enumerate(product(("train", "val", "testing"), ("forest", "river"))):
            folder = order.format(split=split, label=label)
            picture(tmp_path / folder / "a.png", place)
            rows.append(f"{folder}/a.png,{label}\n")
        (problem,) = scan_folder(tmp_path, labels=labels_csv(tmp_path, "path,label\n" + "".join(rows))).problems
        assert (problem.kind, problem.path) == ("layout", "testing")
        assert "The folders testing, train, val are named like splits, but the label table" in problem.message
        if order.startswith("{split}"):
            marked = "path,label,split\n" + "".join(row.replace("\n", f",{row.split('/')[0]}\n") for row in rows)
            scan = scan_folder(tmp_path, labels=labels_csv(tmp_path, marked))
            assert scan.problems == []
            assert set(scan.manifest["split"]) == {"train", "validation", "test"}

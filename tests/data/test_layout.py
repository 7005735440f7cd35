"""What folders mean: splits of every common order and name, groups, and what systems leave behind."""

from __future__ import annotations

import itertools

import pytest
from PIL import Image

from avion_core.data.drawing import make_splits
from avion_core.data.labels import ImageLabel
from avion_core.data.layout import labels_of, read_layout
from avion_core.data.leftovers import thumbnails
from avion_core.data.scan import scan_folder
from avion_core.data.split_names import split_of

CLASSES = ("Forest", "River", "SeaLake")


def paths(*folders: str, count: int = 3) -> list[str]:
    return [f"{folder}/{number}.png" for folder in folders for number in range(count)]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *itertools.product(("train", "Training", "seg_train", "train_images", "train2017", "my-trainset"), ["train"]),
        *itertools.product(("val", "valid", "Validation", "dev", "val2017", "seg_val"), ["validation"]),
        *itertools.product(("eval", "Evaluation"), ["validation"]),
        *itertools.product(("test", "Testing", "seg_test", "test-set"), ["test"]),
        *itertools.product(("holdout", "Hold-out", "held_out", "seg hold out"), ["test"]),
        *itertools.product(("Forest", "trainstation", "Valley", "contest", "train_test", "", "desert"), [""]),
        *itertools.product(("household", "holding", "outhold"), [""]),
    ],
)  # fmt: skip
def test_splits_by_name(name, split):
    assert split_of(name) == split


@pytest.mark.parametrize(
    "splits",
    [
        ("train", "test"), ("train", "val", "test"), ("training", "testing"), ("seg_train", "seg_test"),
        ("Train", "Valid"), ("train", "dev"), ("train", "val", "test", "unlabeled"),
    ],
)  # fmt: skip
def test_splits_that_hold_the_classes(splits):
    found = paths(*(f"{split}/{key}" for split in splits for key in CLASSES))
    layout = read_layout(found)
    assert (layout.order, layout.choices[-1]) == ("split/class", "class")
    assert "look like splits" in layout.question
    labels, _ = labels_of(found, "split/class")
    assert {label.label for label in labels.values()} - {""} == set(CLASSES)
    assert {label.group for label in labels.values()} == {""}
    held = {label.split for label in labels.values()} - {""}
    assert {"train", "test"} <= held  # one part is always sealed
    assert ("validation" in held) is (len(splits) > 2)
    for path, label in labels.items():
        assert (label == ImageLabel()) is path.startswith("unlabeled")


@pytest.mark.parametrize(
    "splits", [("train", "test"), ("training", "testing"), ("train", "val", "test"), ("tr_train", "x-dev")]
)
def test_classes_that_hold_splits(splits):
    found = paths(*(f"{key}/{split}" for split in splits for key in CLASSES))
    layout = read_layout(found)
    assert (layout.order, layout.choices) == ("class/split", ("class/split", "class"))
    labels, _ = labels_of(found, "class/split")
    assert labels["Forest/" + splits[0] + "/0.png"] == ImageLabel("Forest", "", "train")
    assert {label.split for label in labels.values()} >= {"train", "test"}


@pytest.mark.parametrize("beside", [paths("extra"), paths("seg_pred"), paths("more/Forest"), paths("airplane", "ship")])
def test_splits_beside_other_folders_are_asked_about(beside):
    found = paths("train/Forest", "train/River", "test/Forest", "test/River") + beside
    layout = read_layout(found)
    assert layout.order == "split/class"
    assert "The folders test, train look like splits" in layout.question
    labels, _ = labels_of(found, layout.order)
    assert {label.label for label in labels.values()} - {""} == {"Forest", "River"}
    assert all(labels[path].split == "" for path in beside)


WRAPPERS = ("images", "data", "UCMerced_LandUse", "JPEGImages")
ORDERS = {
    "split/class": "{split}/{key}",
    "class/split": "{key}/{split}",
    "group/class": "{place}/{key}",
    "class": "{key}",
}


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Train", "holdout"), ("train", "eval"), ("train", "val", "test")]
)
@pytest.mark.parametrize("where", ["above", "twice above", "between", "below", "all", "own between"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("order", ORDERS)
def test_wrappers_are_no_classes_wherever_they_are(order, wrapper, where, names):
    """A grid of orders, wrapper names and places: the same is read as without them."""
    plain = [
        way
        for key in CLASSES
        for split, place in zip(names, ("Berlin", "Oslo", "Rome"), strict=False)
        if (way := ORDERS[order].format(split=split, key=key, place=place))
    ]
    plain = list(dict.fromkeys(plain))
    above = {"above": (wrapper,), "twice above": ("archive", wrapper), "all": ("archive", wrapper)}.get(where, ())
    between = where in ("between", "all")

    def wrapped(way: str) -> str:
        outer, *inner = way.split("/")
        middle = (wrapper,) if between else (f"{outer}_{wrapper}",) if where == "own between" else ()
        return "/".join((*above, outer, *(middle if inner else ()), *inner, *([wrapper] if where == "below" else [])))

    bare, covered = (paths(*folders) for folders in (plain, map(wrapped, plain)))
    assert read_layout(covered) == read_layout(bare)
    assert read_layout(bare).order == order
    for reading in read_layout(bare).choices:
        expected, told = labels_of(bare, reading)
        found, told_now = labels_of(covered, reading)
        assert len(told) == len(told_now)
        if where != "below":  # there it is a folder in a class, as groups are
            assert list(found.values()) == list(expected.values())
        assert [(of.label, of.split) for of in found.values()] == [(of.label, of.split) for of in expected.values()]


@pytest.mark.parametrize("other", ["secret", "Unseen2", "area_B"])
def test_beside_a_lone_train_folder_the_other_is_held_out(other):
    found = paths(*(f"{outer}/{key}" for outer in ("train", other) for key in CLASSES))
    layout = read_layout(found)
    assert (layout.order, layout.choices[-1]) == ("split/class", "class")
    assert {"group/class", "other/class"} <= set(layout.choices)
    labels, _ = labels_of(found, "split/class")
    assert labels[f"{other}/River/0.png"] == ImageLabel("River", "", "test")
    assert labels["train/River/0.png"] == ImageLabel("River", "", "train")


def test_a_lone_test_folder_leaves_the_others_to_train():
    found = paths(*(f"{outer}/{key}" for outer in ("rest", "test", "pool") for key in CLASSES), "more/Harbour")
    labels, _ = labels_of(found, "split/class")
    splits = {path.split("/")[0]: label.split for path, label in labels.items()}
    assert splits == {"rest": "train", "test": "test", "pool": "", "more": ""}


@pytest.mark.parametrize(
    "found",
    [
        paths("Berlin/Forest/2019", "Berlin/Forest/2020", "Oslo/River/2019", "Oslo/River/2020"),
        paths("Forest/tiles/a", "Forest/tiles/b", "River/2021/c"),
        [*paths("Forest/images/a", "River/images/b"), "Forest/overview.png"],
    ],
)  # fmt: skip
def test_folders_that_tell_something_are_no_wrappers(found):
    labels, _ = labels_of(found, "class")
    assert {label.label for label in labels.values()} <= {"Berlin", "Oslo", "Forest", "River"}
    assert any("/" in label.group for label in labels.values())


def test_classes_of_which_some_hold_splits():
    layout = read_layout(paths("Forest/train", "Forest/test", "River", "SeaLake"))
    assert layout.order == "class/split"
    assert layout.question == "In Forest there are folders that look like splits: test, train."


def test_archives_unpacked_into_folders_of_their_names():
    folders = (f"{split}/{split}/{key}" for split in ("seg_train", "seg_test") for key in CLASSES)
    found = paths(*folders, "seg_pred/seg_pred")
    assert read_layout(found).order == "split/class"
    labels, _ = labels_of(found, "split/class")
    assert labels["seg_test/seg_test/River/0.png"] == ImageLabel("River", "", "test")
    assert labels["seg_pred/seg_pred/0.png"] == ImageLabel()


@pytest.mark.parametrize(
    ("outer", "order"),
    [
        (("fold1", "fold2", "fold3"), "other/class"),
        (("Berlin", "Oslo"), "group/class"),
        (("2019", "2020"), "group/class"),
    ],
)
def test_folders_that_share_their_sub_folders_are_no_classes(outer, order):
    found = paths(*(f"{name}/{key}" for name in outer for key in CLASSES))
    layout = read_layout(found)
    assert layout.order == order
    assert "so these look like the classes" in layout.question
    labels, _ = labels_of(found, order)
    assert {label.label for label in labels.values()} == set(CLASSES)
    assert {label.group for label in labels.values()} == (set(outer) if order == "group/class" else {""})


def test_splits_without_classes():
    layout = read_layout(paths("train", "test"))
    assert (layout.order, layout.choices) == ("split", ("split", "class"))


@pytest.mark.parametrize(
    "found",
    [
        paths(*CLASSES),
        paths("Forest/tile1", "Forest/tile2", "River/tile3", "River/tile4"),
        paths("Forest/images", "River/images"),
        paths("test_site", "Forest"),
        paths("train", "airplane", "ship"),
        ["a.png", "b.png"],
        paths("Forest/2019/a", "Forest/2020/b", "River/2021/c"),
    ],
)  # fmt: skip
def test_plain_class_folders_ask_nothing(found):
    assert read_layout(found).question == ""
    assert read_layout(found).order == "class"


def test_one_sub_folder_in_each_class_is_no_group():
    labels, _ = labels_of(paths("Forest/images", "River/images"), "class")
    assert set(labels.values()) == {ImageLabel("Forest"), ImageLabel("River")}
    labels, _ = labels_of(paths("Forest/a", "Forest/b", "River/a"), "class")
    assert {label.group for label in labels.values()} == {"a", "b"}


def picture(path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (shade, shade // 2, 10)).save(path)
    with Image.open(path) as image:
        image.putpixel((0, 0), (shade % 251, 255 - shade % 255, 3))
        image.save(path)


def test_a_given_split_is_taken_when_a_person_says_so(tmp_path):
    for number, (split, key) in enumerate(itertools.product(["train"] * 3 + ["test"] * 2, CLASSES)):
        picture(tmp_path / split / key / f"{number}.png", 7 * number)
    scan = scan_folder(tmp_path, order="split/class")
    assert [problem for problem in scan.problems if problem.kind == "layout"] == []
    splits = make_splits(scan.manifest, dataset="x")
    names = dict(zip(scan.manifest["image_id"], scan.manifest["path"], strict=True))
    assert all(names[image].startswith("test/") for image in splits.test)
    assert len(splits.test) == 6
    taught = [image for images in splits.train[1].values() for image in images]
    assert all(names[image].startswith("train/") for image in taught)


def test_what_systems_leave_behind_is_left_out_and_told(tmp_path):
    for number, key in enumerate(("Forest", "River")):
        picture(tmp_path / key / "a.png", number * 9)
        picture(tmp_path / key / "b.png", number * 9 + 4)
        picture(tmp_path / key / "@eaDir" / "a.png" / "SYNOPHOTO_THUMB_M.png", number + 50)
    for number, name in enumerate(
        ("#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX", "_thumbs")
    ):
        picture(tmp_path / name / "gone.png", 100 + number)
    scan = scan_folder(tmp_path)
    assert scan.manifest["path"].tolist() == ["Forest/a.png", "Forest/b.png", "River/a.png", "River/b.png"]
    assert {problem.path for problem in scan.problems if problem.kind == "leftover"} == {
        "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX", "_thumbs",
        "Forest/@eaDir", "River/@eaDir",
    }  # fmt: skip
    assert all("was left out (1 file)" in problem.message for problem in scan.problems)


def test_thumbnails_beside_their_pictures():
    found = ["x/a.tif", "x/a_thumb.jpg", "x/thumb-a.jpg", "x/a.preview.png", "x/tn_b.jpg", "y/a_thumb.jpg", "x/a_2.tif"]
    assert sorted(thumbnails(found)) == ["x/a.preview.png", "x/a_thumb.jpg", "x/thumb-a.jpg"]


def test_one_name_in_two_encodings_stays_on_one_side(tmp_path):
    for number, key in enumerate(("Forest", "River")):
        for name in ("a.png", "a.jpg", "b.png"):
            picture(tmp_path / key / name, number * 60 + ord(name[0]))
    scan = scan_folder(tmp_path)
    groups = dict(zip(scan.manifest["path"], scan.manifest["group"], strict=True))
    assert groups["Forest/a.png"] == groups["Forest/a.jpg"] == "Forest/a"
    assert groups["Forest/b.png"] == ""
    assert [problem.path for problem in scan.problems if problem.kind == "near_copy"] == ["Forest/a.jpg", "River/a.jpg"]

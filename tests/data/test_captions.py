"""Karpathy-style caption files: read, reported, refused."""

from __future__ import annotations

import json

import pytest

from avion_core.data import Problem, read_captions
from avion_core.errors import DataError


def image(name: str, *captions: str, split: str = "train", **more) -> dict:
    return {"filename": name, "split": split, "sentences": [{"raw": text} for text in captions]} | more


@pytest.fixture
def write(tmp_path):
    def write(content):
        file = tmp_path / "captions.json"
        file.write_text(content if isinstance(content, str) else json.dumps({"images": content}), encoding="utf-8")
        return file

    return write


def test_rows_in_file_order_with_known_splits(write):
    file = write(
        [
            image("b.tif", "A  river\nbends .", "A river .", split="val"),
            image("a.tif", "Two planes .", split="restval"),
            image("c.tif", "A bridge .", split="test", path="folder/c.jpg"),
        ]
    )
    captions = read_captions(file)
    assert captions.problems == []
    assert captions.table.to_dict("records") == [
        {"path": "b.tif", "split": "validation", "captions": ("A river bends .", "A river .")},
        {"path": "a.tif", "split": "train", "captions": ("Two planes .",)},
        {"path": "folder/c.jpg", "split": "test", "captions": ("A bridge .",)},
    ]


def test_empty_captions_and_second_entries_are_reported_not_fatal(write):
    file = write([image("a.tif", "", " ", "Roofs ."), image("b.tif", "  "), image("c.tif"), image("a.tif", "Other .")])
    captions = read_captions(file)
    assert captions.table["path"].tolist() == ["a.tif"]
    assert captions.table["captions"].tolist() == [("Roofs .",)]
    assert captions.problems == [
        Problem("empty_caption", "a.tif", "2 of its 3 captions are empty."),
        Problem("empty_caption", "b.tif", "1 of its 1 captions are empty."),
        Problem("no_caption", "b.tif", "It has no caption and was left out."),
        Problem("no_caption", "c.tif", "It has no caption and was left out."),
        Problem("duplicate", "a.tif", "It is listed more than once; the first entry was kept."),
    ]


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        ("{", "is not JSON (column 2: Expecting", "Correct it"),
        ("[]", "lists no images", '"images": ['),
        ('{"images": {}}', "lists no images", '"sentences": ['),
        ([{"split": "train", "sentences": []}], "Image 0 of the caption file has no file name", '"filename"'),
        (["a.tif"], "Image 0 of the caption file has no file name", "a.tif"),
        (
            [image("a", "x"), image("b", "x", split="dev")],
            "Image 1 of the caption file has an unknown split: dev",
            "val",
        ),
        ([{"filename": "a", "split": "test"}], "no readable sentences: None", '[{"raw": "text"}]'),
        ([image("a") | {"sentences": [{"raw": 3}]}], "no readable sentences", "'raw': 3"),
        ([image("a") | {"sentences": ["text"]}], "no readable sentences", "['text']"),
    ],
)
def test_malformed_files_are_refused(write, content, what, hint):
    with pytest.raises(DataError) as caught:
        read_captions(write(content))
    assert what in str(caught.value)
    assert hint in str(caught.value)


def test_missing_file_and_wrong_encoding_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"caption file does not exist.*gone\.json.*Check the path"):
        read_captions(tmp_path / "gone.json")
    (tmp_path / "latin.json").write_bytes('{"images": ["é"]}'.encode("latin-1"))
    with pytest.raises(DataError, match=r"caption file is not UTF-8 \(line 1\)"):
        read_captions(tmp_path / "latin.json")

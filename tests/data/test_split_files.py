"""Splits as other projects keep them: CoOp's JSON both ways, image folders of `datasets`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from avion_core.data.labels import ImageLabel, read_labels
from avion_core.data.scan import scan_folder
from avion_core.data.split_files import write_coop
from avion_core.errors import DataError
from tests.scenes import scene


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, path in enumerate(("train/a.png", "train/b.png", "test/a.png", "validation/c.png")):
        file = tmp_path / "images" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        scene(number, (32, 32)).save(file)
    return tmp_path / "images"


def test_coops_split_is_read_and_written_back(root: Path, tmp_path: Path) -> None:
    split = {
        "train": [["train/a.png", 0, "beach"], ["train/b.png", 1, "dense forest"]],
        "val": [["validation/c.png", 1, "dense forest"]],
        "test": [["test/a.png", 0, "beach"]],
    }
    file = tmp_path / "split_zhou.json"
    file.write_text(json.dumps(split))
    table = scan_folder(root, labels=file).manifest.set_index("path")
    assert table["label"].to_dict() == {
        "train/a.png": "beach",
        "train/b.png": "dense forest",
        "test/a.png": "beach",
        "validation/c.png": "dense forest",
    }
    assert table["split"].to_dict() == {
        "train/a.png": "train", "train/b.png": "train", "test/a.png": "test", "validation/c.png": "validation",
    }  # fmt: skip
    parts = {
        part: list(zip(of.index, of["label"], strict=True))
        for part in ("train", "validation", "test")
        for of in [table[table["split"] == part].sort_index()]
    }
    assert json.loads(write_coop(parts)) == split


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"train": [["a.png", 0]]}, "entry 0 of train in the split file is none"),
        ({"train": [["a.png", "0", "beach"]]}, "entry 0 of train"),
        ({"train": [["a.png", True, "beach"]]}, "entry 0 of train"),
        ({"train": [["a.png", 0, " "]]}, "entry 0 of train"),
        ({"test": {"a.png": 0}}, "entry 0 of test"),
        ({"train": [["a.png", 0, "x"], ["b.png", 0, "y"]]}, "gives the number 0 to two classes"),
        ({"train": [], "val": []}, "lists no images"),
        ({"train": [], "spare": []}, "The caption file lists no images"),
    ],
)
def test_splits_that_cannot_be_used_are_refused(split: Any, message: str, tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    file.write_text(json.dumps(split))
    with pytest.raises(DataError, match=f"(?i){message}"):
        read_labels(file, tmp_path, {"a.png"})


def write(file: Path, rows: list[dict[str, str]]) -> Path:
    table = pd.DataFrame(rows)
    if file.suffix == ".csv":
        table.to_csv(file, index=False)
    elif file.suffix == ".parquet":
        table.to_parquet(file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_an_image_folder_is_read_with_the_splits_of_its_folders(name: str, root: Path) -> None:
    write(root / "train" / name, [{"file_name": "a.png", "label": "beach"}, {"file_name": "b.png", "label": "river"}])
    write(root / "validation" / name, [{"file_name": "c.png", "label": "river"}])
    file = write(root / "test" / name, [{"file_name": "a.png", "label": "beach"}])
    pictures = {path.relative_to(root).as_posix() for path in root.rglob("*.png")}
    found, problems = read_labels(file, root, pictures)
    assert found == {
        "train/a.png": ImageLabel("beach", "", "train"),
        "train/b.png": ImageLabel("river", "", "train"),
        "validation/c.png": ImageLabel("river", "", "validation"),
        "test/a.png": ImageLabel("beach", "", "test"),
    }
    assert problems == []


def test_one_table_above_names_files_below_and_its_own_split(root: Path) -> None:
    rows = [
        {"file_name": "train/a.png", "label": "beach", "split": "dev"},
        {"file_name": "test/a.png", "label": "river"},
    ]
    found, _ = read_labels(write(root / "metadata.jsonl", rows), root, {"train/a.png", "test/a.png"})
    assert found == {"train/a.png": ImageLabel("beach", "", "validation"), "test/a.png": ImageLabel("river")}


def test_a_table_of_ones_own_is_what_it_was(root: Path) -> None:
    file = write(root / "metadata.csv", [{"path": "train/a.png", "file_name": "odd", "label": "beach"}])
    assert read_labels(file, root, {"train/a.png"})[0] == {"train/a.png": ImageLabel("beach")}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"file_name": "a.png", "text": "A beach."}], "has no column label"),
        ([{"image": "a.png"}], "has no column file_name"),
    ],
)
def test_metadata_without_what_it_needs_is_refused(rows: list[dict[str, str]], message: str, root: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(write(root / "metadata.jsonl", rows), root, {"a.png"})


def test_a_line_that_is_no_object_is_refused(root: Path) -> None:
    (root / "metadata.jsonl").write_text('["a.png", "beach"]\n')
    with pytest.raises(DataError, match="a line that is no object"):
        read_labels(root / "metadata.jsonl", root, {"a.png"})


def test_two_columns_of_one_name_are_refused_in_metadata(root: Path) -> None:
    (root / "metadata.jsonl").write_text('{"file_name": "a.png", "label": "beach", "Label": "forest"}\n')
    with pytest.raises(DataError, match="two columns with the same name"):
        read_labels(root / "metadata.jsonl", root, {"a.png"})

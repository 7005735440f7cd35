"""Published data sets, captions and CoOp's splits by command."""

from __future__ import annotations

import json

from avion_core.data.catalog import DATA_SETS
from avion_core.usecases.projects import data_sets
from avion_core.usecases.projects.summaries import get_project, read_splits
from tests.captioning import make_captions


def test_the_catalog_is_listed_and_shown(answer, avion):
    rows = answer("datasets", "list")["data_sets"]
    assert [row["name"] for row in rows] == list(DATA_SETS)
    assert {row["name"] for row in rows if row["get"] == "yes"} == {"resisc45", "eurosat", "patternnet", "ucmerced"}
    shown = answer("datasets", "show", "eurosat")
    assert shown["prompt_names"]["SeaLake"] == "sea or lake"
    assert shown["hub"]["digest"].startswith("md5:")
    said = avion("datasets", "show", "aid").stdout
    assert "hub      not known" in said
    assert "its layout and hash are not known here" in said
    assert avion("datasets", "show", "mars").exit_code == 1


def test_a_copy_is_verified(answer, avion, images, tmp_path):
    found = answer("datasets", "verify", images, "--as", "ucmerced")
    assert (found["complete"], found["images"]) == (False, 24)
    assert found["counts"] == {"beach": 8, "forest": 8, "golfcourse": 8}
    assert len(found["missing"]) == 18
    result = avion("datasets", "verify", images)
    assert result.exit_code == 1
    assert "looks like no data set of the catalog" in result.stderr
    assert "18 classes missing" in avion("datasets", "verify", images, "--as", "ucmerced").stdout


def test_a_data_set_is_got_and_verified(answer, avion, images, tmp_path, monkeypatch):
    asked = []

    def fetched(entry, into, progress, stop, endpoint=None):
        asked.append((entry.name, into))
        return images

    monkeypatch.setattr(data_sets.data_sets, "get", fetched)
    got = answer("datasets", "get", "ucmerced", tmp_path / "new")
    assert asked == [("ucmerced", tmp_path / "new")]
    assert got["complete"] is False
    monkeypatch.undo()


def test_what_no_hub_carries_is_said(avion, tmp_path):
    result = avion("datasets", "get", "whu-rs19", tmp_path / "new")
    assert result.exit_code == 1
    assert "No hub is known to carry WHU-RS19" in result.stderr


def test_captions_are_imported(answer, avion, scenes, tmp_path):
    file = make_captions(tmp_path / "captions.json")
    found = answer("captions", "import", "scenes", file)
    assert found["parts"] == {"train": [18, 36], "test": [6, 12]}
    assert "They take the place of 48 captions." in avion("captions", "import", "scenes", file).stdout


def test_a_split_leaves_in_coops_form_and_comes_back(answer, scenes, images, tmp_path):
    file = tmp_path / "split.json"
    answer("labels", "split", "scenes", "--out", file, "--seed", "2")
    written = json.loads(file.read_text())
    assert {part: len(rows) for part, rows in written.items()} == {"train": 9, "val": 3, "test": 12}
    assert {tuple(row[1:]) for row in written["test"]} == {(0, "beach"), (1, "forest"), (2, "golfcourse")}
    answer("projects", "create", "again", images, "--labels", file)
    again = get_project(scenes, "again")
    assert set(read_splits(scenes, again.id).test) == set(read_splits(scenes, get_project(scenes, "scenes").id).test)

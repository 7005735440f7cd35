"""Out of a studio and into another one by command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from avion_core.actor import ALONE
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.transfer.exchange import read_records
from tests import tiny_studio


@pytest.fixture
def judged(scenes) -> str:
    """The id of a description that "me" accepted."""
    key = read_records(scenes, "scenes", scores=False)[0][0]["description_id"]
    record_verdict(scenes, "scenes", key, "accept")
    return key


def test_descriptions_leave_in_every_form_and_come_back(answer, avion, judged, images, tmp_path):
    assert answer("projects", "create", "again", images)["name"] == "again"
    for suffix in ("jsonl", "csv", "parquet"):
        file = tmp_path / f"out.{suffix}"
        made = answer("descriptions", "export", "scenes", "--out", file)
        assert (made["descriptions"], made["decisions"], made["without_scores"]) == (12, 1, "")
        preview = answer("descriptions", "import", "again", file, "--preview")
        assert (preview["added"], preview["written"]) == (12 if suffix == "jsonl" else 0, False)
        brought = answer("descriptions", "import", "again", file)
        assert brought["decisions"]["added"] == (1 if suffix == "jsonl" else 0)
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["similarity"].notna().all()
    assert (
        "12 descriptions with 1 decision"
        in avion("descriptions", "export", "scenes", "--out", tmp_path / "x.jsonl", "--no-scores").stdout
    )
    texts = tmp_path / "texts.json"
    answer("descriptions", "export", "scenes", "--out", texts, "--texts", "accepted", "--class", "beach")
    assert json.loads(texts.read_text()) == {"beach": ["Aerial view of beach seen from directly above in daylight."]}


def test_an_export_that_cannot_be_written_says_why(avion, judged, tmp_path):
    result = avion("descriptions", "export", "scenes", "--out", tmp_path / "out.xls")
    assert (result.exit_code, "Choose one of: jsonl, csv, parquet, json" in result.stderr) == (1, True)
    result = avion("descriptions", "export", "scenes", "--out", tmp_path / "no" / "out.csv", "--no-scores")
    assert (result.exit_code, "cannot be written (No such file or directory)" in result.stderr) == (1, True)


def test_a_review_goes_out_and_comes_back(answer, avion, judged, tmp_path):
    pack = tmp_path / "scenes.review"
    made = answer("review", "pack", "scenes", "--out", pack, "--reviewer", "ann")
    assert (made["descriptions"], made["reviewer"]) == (12, "ann")
    away = ("--home", tmp_path / "away")
    opened = answer("review", "open", pack, *away)
    assert opened["name"] == "scenes, review by ann"
    from avion_core.usecases.installation.home import Home

    record_verdict(Home(tmp_path / "away", ALONE), opened["id"], judged, "reject")
    back = tmp_path / "back.jsonl"
    assert answer("review", "return", opened["id"], "--out", back, *away)["file"] == str(back)
    assert "review merge" in avion("review", "return", opened["id"], "--out", back, *away).stdout
    assert answer("review", "merge", "scenes", back, "--preview")["written"] is False
    merged = answer("review", "merge", "scenes", back)
    assert (merged["decisions"]["reviewers"], merged["conflicts"]) == ({"ann": 1}, [judged])
    assert answer("review", "merge", "scenes", back)["decisions"]["added"] == 0


def test_a_project_moves_and_finds_its_images(answer, avion, judged, images, tmp_path):
    pack = tmp_path / "scenes.avion"
    assert answer("projects", "pack", "scenes", "--out", pack)["decisions"] == 1
    moved = Path(shutil.move(images, tmp_path / "moved"))
    away = ("--home", tmp_path / "away")
    unpacked = answer("projects", "unpack", pack, *away)
    assert unpacked["images_missing"] is True
    assert "avion projects relink copy FOLDER" in avion("projects", "unpack", pack, "--name", "copy", *away).stdout
    assert avion("projects", "relink", "scenes", *away).exit_code == 1
    linked = answer("projects", "relink", "scenes", moved, *away)
    assert (linked["same"], linked["missing"]) == (24, [])
    assert answer("projects", "relink", "scenes", *away)["same"] == 24
    (moved / tiny_studio.CLASSES[0] / "00.png").unlink()
    result = avion("projects", "relink", "copy", moved, *away)
    assert (result.exit_code, "link anyway (--incomplete)" in result.stderr) == (1, True)
    assert answer("projects", "relink", "copy", moved, "--incomplete", *away)["missing"] == ["beach/00.png"]

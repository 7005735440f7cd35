"""How commands fail: the exit code, one plain sentence with the way out, and no traceback."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from avion_core.usecases.runs import launching, listing, training


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("projects show atlantis", 1, "There is no such project: atlantis. Existing projects: scenes."),
        ("projects create scenes {images}", 1, "A project with this name already exists: scenes. Choose another name"),
        ("projects create new {images}/nowhere", 1, "The image folder does not exist"),
        ("projects create new {images} --bands 4,x", 2, "--bands takes numbers with commas, such as 4,3,2"),
        ("projects create new {images} --bands 1,2", 1, "The recipe's bands cannot be used"),
        ("projects create new {images} --modality x-ray", 2, "x-ray"),
        ("projects create new {images} --teacher nope", 1, "The catalog has no such model: nope. Choose one of:"),
        ("descriptions export scenes --out x.jsonl --class nope", 1, "no such class: nope. Its classes are: beach,"),
        ("descriptions import scenes {images}/none.json", 1, "none.json"),
        ("descriptions import scenes {images}/beach/00.png", 1, "00.png. Give a file that ends in .jsonl"),
        ("prototypes scenes --shots 99", 2, "99. Choose 1 to 16 shots per class."),
        ("train atlantis", 1, "There is no such project: atlantis."),
        ("train", 2, "Name a PROJECT to train, or --resume a RUN."),
        ("train scenes --set distillation.epochs", 2, "A setting must be KEY=VALUE: distillation.epochs. Write it"),
        ("train scenes --set distillation.epoch=2", 2, "distillation.epoch does not exist: 2. The settings"),
        ("train scenes --epochs 0", 2, "The setting distillation.epochs cannot be used: 0."),
        ("train scenes --preset best", 2, "no such preset: best. Choose one of: recommended, own-data, paper, authors"),
        ("train scenes --protocol zero-shot", 2, "zero-shot"),
        ("train scenes --seed 9", 2, "and seed 9. Choose up to 16 shots and one of the seeds 1, 2, 3."),
        ("train --resume nosuch", 1, "There is no such run: nosuch. Name a run's id, its beginning, or latest."),
        ("evaluate latest", 1, "There is no run yet. Start one with `avion train PROJECT`."),
        ("evaluate latest --split everything", 2, "everything"),
        ("predict latest {images}/none.png", 1, "The image was not found: "),
        ("embed-map latest --method pca", 2, "pca"),
        ("models add nosuch {images}/beach/00.png", 1, "The catalog has no such model: nosuch. Choose one of:"),
        ("app --port 99999", 2, "less than or equal to 65535"),
        ("--bogus", 2, "No such option: --bogus"),
    ],
)  # fmt: skip
def test_a_failure_is_one_sentence_with_a_hint(avion, scenes, images, words, code, message):
    result = avion(*(word.format(images=images) for word in words.split()))
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_an_unfinished_run_is_not_evaluated(avion, scenes):
    run_id = launching.create_run(scenes, "scenes")
    result = avion("evaluate", run_id)
    assert (result.exit_code, result.stderr) == (
        1,
        f"Run {run_id} has no trained student to show: queued. Wait until it is finished.\n",
    )
    training.stop(scenes, run_id)
    assert "to show: stopped. Resume it first." in avion("embed-map", run_id).stderr


def test_a_failure_with_json(avion, scenes):
    result = avion("projects", "show", "atlantis", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "error": "There is no such project: atlantis. Existing projects: scenes.",
        "cause": "missing",
        "hint": "Existing projects: scenes.",
    }
    assert result.stderr == "There is no such project: atlantis. Existing projects: scenes.\n"


def test_a_question_that_nobody_answers_is_no_failure_of_the_program(avion, folder):
    result = avion("users", "add", "Zoe")
    assert (result.exit_code, "Aborted" in result.stderr, "unexpected" in result.stderr) == (1, True, False)


def test_debug_shows_where(avion, scenes):
    result = avion("projects", "show", "atlantis", "--debug")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


def test_an_unexpected_error_is_no_traceback(avion, scenes, monkeypatch):
    monkeypatch.setattr(listing, "page_of_runs", lambda *_, **__: 1 / 0)
    result = avion("runs", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("Something unexpected went wrong (ZeroDivisionError: division by zero).")
    assert "Traceback" not in result.stderr


def test_a_failed_training_is_told_and_kept(avion, answer, scenes, tmp_path):
    (Path(answer("projects", "list")["projects"][0]["image_root"]) / "beach").rename(tmp_path / "moved")
    result = avion("train", "scenes")
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    run = answer("runs", "list")["runs"][0]
    assert (run["state"], run["cause"]) == ("failed", "data")
    assert run["error"] in result.stderr


def test_a_training_that_cannot_start_leaves_no_run(avion, answer, scenes, monkeypatch):
    monkeypatch.setattr("avion_core.backbones.load.WeightStore.path", lambda *_: None)
    result = avion("train", "scenes")
    assert result.exit_code == 1
    assert result.stderr == (
        "The weights of GeoRSCLIP ViT-H/14 are not installed. Run `avion models download georsclip-vit-h-14`, or "
        "`avion models add georsclip-vit-h-14 FILE` for a file of your own.\n"
    )
    assert answer("runs", "list") == {"runs": [], "found": 0, "page": 1, "pages": 1}


def test_a_newer_database_is_refused(avion, scenes):
    with sqlite3.connect(scenes.path / "avion.sqlite3") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    result = avion("projects", "list")
    assert result.exit_code == 1
    assert "written by a newer AVION Studio" in result.stderr
    assert "Update AVION Studio" in result.stderr


def test_a_home_that_cannot_be_written(avion, tmp_path):
    (tmp_path / "file").touch()
    result = avion("projects", "list", "--home", tmp_path / "file" / "home")
    assert result.exit_code == 1
    assert "The home folder cannot be written" in result.stderr
    assert "Choose a folder you may write to with --home or AVION_HOME." in result.stderr

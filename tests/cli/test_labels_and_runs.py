"""Labels, class cards, agreement and runs by command."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import rasterio

from avion_core.backbones.load import WeightStore
from avion_core.jobs import queue
from avion_core.jobs.executors.local import LocalExecutor
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs import launching, training
from tests.acting import by


def test_labels_leave_as_a_table_and_come_back(answer, avion, scenes, images, tmp_path):
    file = tmp_path / "labels.csv"
    answer("labels", "export", "scenes", "--out", file)
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert list(table.columns) == ["path", "label", "group", "split"]
    assert (len(table), (table["split"] == "test").sum()) == (24, 12)
    none = {"given": 0, "known": 24, "problems": [], "written": True, "taken_for": {}}
    assert answer("labels", "import", "scenes", file) == none

    table.loc[table["path"] == "beach/00.png", "label"] = "Golf course"  # by its words
    table.loc[len(table)] = ["beach/99.png", "beach", "", ""]
    table.to_csv(file, index=False)
    preview = answer("labels", "import", "scenes", file, "--preview")
    assert (preview["given"], preview["written"], len(preview["problems"])) == (1, False, 1)
    said = avion("labels", "import", "scenes", file).stdout
    assert said.startswith(
        "1 image labelled, 23 were already; 1 row could not be used; read “Golf course” as “golfcourse”.\n"
        "  missing: beach/99.png"
    )
    counts = {entry.key: entry.count for entry in get_project(scenes, "scenes").classes}
    assert counts == {"beach": 7, "forest": 8, "golfcourse": 9}

    answer("labels", "export", "scenes", "--out", file)
    again = answer("projects", "create", "again", images, "--labels", file)
    assert {entry["key"]: entry["count"] for entry in again["classes"]} == counts
    table["label"] = "volcano"
    table.to_csv(file, index=False)
    result = avion("labels", "import", "scenes", file)
    assert (result.exit_code, "no such class: volcano. Add it with `avion classes add`" in result.stderr) == (1, True)


def test_class_cards_are_filled_in_from_a_table(answer, avion, scenes, tmp_path):
    file = tmp_path / "cards.csv"
    answer("classes", "export", "scenes", "--out", file)
    table = pd.read_csv(file, dtype=str, keep_default_na=False).set_index("class_key")
    assert answer("classes", "import", "scenes", file) == {"changed": [], "taken_for": {}}
    table.loc["beach", ["definition", "colour"]] = ['Bare sand, "along" open\nwater.', "#D55E00"]
    table.loc["forest", "prompt_name"] = "woodland"
    table.to_csv(file)
    assert answer("classes", "import", "scenes", file) == {"changed": ["beach", "forest"], "taken_for": {}}
    beach, forest, _ = answer("classes", "list", "scenes")["classes"]
    assert (beach["definition"], beach["colour"]) == ('Bare sand, "along" open\nwater.', "#D55E00")
    assert forest["prompt_name"] == "woodland"
    assert "woodland" in avion("classes", "list", "scenes").stdout
    assert answer("classes", "undo", "scenes") == {"undone": "Undone: forest was renamed to woodland."}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The table of class cards is empty"),
        ("definition\nSand.\n", "has no column class_key: definition."),
        ("class_key,colour\nbeach,red\n", "The colour cannot be used: red. Give it as #rrggbb"),
        ("class_key,shape\nbeach,round\n", "A class card has no such field: shape. Fields are local_name, code"),
        ("class_key,definition\nforest,Trees.\nvolcano,Fire.\n", "The project has no such class: volcano."),
        (
            "class_key,definition\nforest,Trees, many\n",
            "Line 2 of the table of class cards has 3 cells, and its header has 2: forest,Trees, many.",
        ),
        ("class_key,definition\nforest,W\xe4lder\n".encode("latin-1"), "The table of class cards is not UTF-8"),
        (None, "The table of class cards does not exist"),
    ],
)
def test_cards_that_cannot_be_used_change_nothing(avion, scenes, tmp_path, content, message):
    file = tmp_path / "cards.csv"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = avion("classes", "import", "scenes", file)
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    assert [entry.definition for entry in get_project(scenes, "scenes").classes] == ["", "", ""]


def test_classes_are_added_renamed_and_merged(answer, avion, scenes):
    assert answer("classes", "add", "scenes", "Solar farm") == {"class": "Solar farm"}
    assert answer("classes", "rename", "scenes", "beach", "sandy shore")["prompt_name"] == "sandy shore"
    assert answer("classes", "merge", "scenes", "beach", "forest") == {"class": "beach", "into": "forest"}
    assert [entry["key"] for entry in answer("classes", "list", "scenes")["classes"]] == [
        "Solar farm", "forest", "golfcourse",
    ]  # fmt: skip
    assert avion("classes", "undo", "scenes").stdout == "Undone: sandy shore was merged into forest.\n"
    result = avion("classes", "merge", "scenes", "beach", "volcano")
    assert (result.exit_code, "no such class: volcano" in result.stderr) == (1, True)


def test_agreement(answer, avion, scenes):
    assert answer("agreement", "scenes")["kappa"] is None
    ids = current_descriptions(scenes, get_project(scenes, "scenes").id)["description_id"][:4]
    for reviewer, verdicts in (("ann", "aaxx"), ("bob", "aaax")):
        for key, letter in zip(ids, verdicts, strict=True):
            record_verdict(by(reviewer, scenes), "scenes", key, "accept" if letter == "a" else "reject")
    found = answer("agreement", "scenes")
    assert (found["reviewers"], found["items"], found["kappa"]) == (["ann", "bob"], 4, pytest.approx(0.5))
    assert [(row["accepts"], row["rejects"]) for row in found["conflicts"]] == [(["bob"], ["ann"])]
    said = avion("agreement", "scenes").stdout
    assert said.startswith("Cohen's kappa is 0.50 over 4 texts")
    assert "1 in conflict:" in said


def test_a_folder_is_looked_into(answer, avion, images, tmp_path):
    (tmp_path / "archive").mkdir()
    images.rename(tmp_path / "archive" / "Images")
    found = answer("projects", "look", tmp_path / "archive")
    assert (found["pictures"], found["classes"]) == (24, ["beach", "forest", "golfcourse"])
    assert found["root"] == str(tmp_path / "archive" / "Images")
    assert len(answer("projects", "create", "scenes", tmp_path / "archive")["classes"]) == 3
    bare = answer("projects", "create", "bare", tmp_path / "archive", "--unlabelled")
    assert (bare["images"], bare["labelled"], bare["classes"]) == (24, 0, [])
    assert "3 class folders: beach, forest, golfcourse" in avion("projects", "look", tmp_path / "archive").stdout


def test_captions_make_a_project(answer, images, tmp_path):
    listed = [
        {"filename": f"beach/{number:02d}.png", "split": "train", "sentences": [{"raw": "a beach"}]}
        for number in range(8)
    ]
    (tmp_path / "captions.json").write_text(json.dumps({"images": listed}))
    made = answer("projects", "create", "captions", images, "--labels", tmp_path / "captions.json")
    assert (made["images"], made["labelled"]) == (24, 0)


def test_a_student_leaves_as_a_zip(answer, avion, scenes, tmp_path):
    run = answer("train", "scenes", "--epochs", "1")["run_id"]
    made = answer("runs", "export", "latest", "--out", tmp_path / "student.zip")
    with zipfile.ZipFile(made["file"]) as archive:
        assert "README.md" in archive.namelist()
        assert archive.testzip() is None
    shown = answer("runs", "show", run)
    assert (shown["state"], shown["config"]["distillation"]["epochs"]) == ("finished", 1)
    assert "distillation.epochs" in avion("runs", "show", run).stdout
    assert answer("runs", "delete", run) == {"run_id": run}
    assert answer("runs", "list") == {"runs": [], "found": 0, "page": 1, "pages": 1}


def test_a_queued_run_waits_and_leaves_the_queue(answer, avion, scenes, monkeypatch):
    monkeypatch.setattr(queue, "ensure_served", lambda home: None)  # nobody works on the queue
    run = answer("train", "scenes", "--queue", "--epochs", "1")["run_id"]
    assert [(row["state"], row["waiting"]) for row in answer("runs", "list")["runs"]] == [("queued", True)]
    result = avion("runs", "kill", run)
    assert (result.exit_code, "The run has no process that could be killed: queued." in result.stderr) == (1, True)
    result = avion("runs", "delete", run)
    assert (result.exit_code, "Stop it first." in result.stderr) == (1, True)
    assert answer("runs", "stop", run) == {"run_id": run}
    assert answer("runs", "list")["runs"][0]["state"] == "stopped"
    result = avion("runs", "stop", run)
    assert (result.exit_code, "The run has already ended: stopped." in result.stderr) == (1, True)


def test_a_stopped_run_goes_on_in_the_background(answer, scenes, monkeypatch):
    started = []
    monkeypatch.setattr(LocalExecutor, "submit", lambda _, home, job: started.append(job.id))
    run = launching.create_run(scenes, "scenes")
    training.stop(scenes, run)
    assert answer("runs", "resume", run[:6])["run_id"] == run
    assert started == [run]


@pytest.mark.parametrize("words", [("train", "scenes", "--resume", "latest"), ("train", "--resume", "x", "--queue")])
def test_train_asks_for_one_thing(avion, scenes, words):
    result = avion(*words)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_suggested_recipe_is_what_create_takes(avion, answer, tmp_path) -> None:
    values = np.arange(3 * 40 * 40, dtype=np.uint16).reshape(3, 40, 40)
    for name in ("deep", "flat"):
        (tmp_path / "mixed" / name).mkdir(parents=True)
        for number in range(3):
            shown = np.roll(values, 7 * number)
            shown = shown + 500 if name == "deep" else (shown % 251).astype("uint8")
            file = tmp_path / "mixed" / name / f"{number}.tif"
            form = {"width": 40, "height": 40, "count": 3, "dtype": shown.dtype, "photometric": "RGB"}
            with rasterio.open(file, "w", driver="GTiff", **form) as raster:
                raster.write(shown)
    said = avion("projects", "look", tmp_path / "mixed").stdout
    (line,) = [line for line in said.splitlines() if "suggested:" in line]
    assert "--depth integer" in line
    made = answer("projects", "create", "mixed", tmp_path / "mixed", *line.split("suggested: ")[1].split())
    assert made["recipe"]["depth"] == "integer"
    assert "blank" not in {problem["kind"] for problem in made["problems"]}


def test_without_the_best_models_create_takes_what_is_installed(avion, images, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AVION_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr(WeightStore, "path", lambda _, name: tmp_path if name.startswith("demo") else None)
    made = avion("projects", "create", "mine", images)
    assert "teacher demo-teacher, student demo-student" in made.stdout
    assert "Better, but not installed here: GeoRSCLIP ViT-H/14 and GeoRSCLIP ViT-B/32" in made.stderr
    assert "`avion models download georsclip-vit-h-14`" in made.stderr
    chosen = avion("projects", "create", "other", images, "--teacher", "georsclip-vit-h-14")
    assert "teacher georsclip-vit-h-14, student demo-student" in chosen.stdout
    monkeypatch.setattr(WeightStore, "path", lambda *_: tmp_path)
    best = avion("projects", "create", "best", images)
    assert "teacher georsclip-vit-h-14, student georsclip-vit-b-32" in best.stdout
    assert "Better" not in best.stderr

"""The command line end to end on a tiny project: every command, its JSON, and what people read."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from avion_core.actor import ALONE
from avion_core.backbones.load import WeightStore
from avion_core.cli import app
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from tests import tiny_studio
from tests.georeferenced import tile
from tests.jobs_here import do_jobs_here
from tests.scenes import scene


def test_help_is_a_tour(avion):
    said = avion("--help").stdout
    for words in ("avion demo", "avion train", "avion evaluate", "avion app", "projects", "descriptions", "models"):
        assert words in said
    for group in ("projects", "descriptions", "models"):
        assert "Commands:" in avion(group, "--help").stdout


def test_the_version_is_the_one_that_pyproject_states(avion):
    stated = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["version"]
    assert avion("--version").stdout == f"AVION Studio {stated}\n"


def test_every_command_takes_the_three_options(avion):
    commands = [(command.name,) for command in app.registered_commands]
    commands += [
        (group.name, command.name)
        for group in app.registered_groups
        for command in group.typer_instance.registered_commands
    ]
    assert len(commands) >= 28
    for words in commands:
        said = avion(*words, "--help").stdout
        assert [option for option in ("--json", "--home", "--debug") if option not in said] == [], words


def test_help_does_not_wait_for_the_engine():
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "avion_core.cli", "--help"], capture_output=True, text=True
    ).stderr
    assert "typer" in imported
    for slow in ("torch", "pandas", "sqlalchemy", "numpy", "pydantic"):
        assert f"| {slow}\n" not in imported.replace("  ", "")


def test_a_project_is_made_listed_and_shown(answer, avion, images):
    made = answer("projects", "create", "scenes", images)
    assert (made["name"], made["images"], len(made["classes"])) == ("scenes", 24, 3)
    assert answer("projects", "list")["projects"][0]["id"] == made["id"]
    assert answer("projects", "show", "scenes") == made
    assert "golf course" in avion("projects", "show", made["id"]).stdout


def test_a_recipe_is_recorded(answer, images):
    made = answer("projects", "create", "scenes", images, "--bands", "3,2,1", "--low", "0", "--high", "200")
    assert (made["recipe"]["bands"], made["recipe"]["low"], made["recipe"]["high"]) == ([3, 2, 1], [0.0], [200.0])


def test_home_wins_over_the_environment(answer, folder, images, tmp_path):
    answer("projects", "create", "scenes", images, "--home", tmp_path / "other")
    assert (tmp_path / "other" / "avion.sqlite3").exists()
    assert not folder.exists()


def test_the_shared_options_may_stand_before_the_command(avion, folder, images, tmp_path):
    said = avion("--json", "--home", tmp_path / "other", "projects", "create", "scenes", images)
    assert json.loads(said.stdout)["name"] == "scenes"
    assert not folder.exists()
    listed = avion("--home", tmp_path / "other", "projects", "list", "--json")
    assert [project["name"] for project in json.loads(listed.stdout)["projects"]] == ["scenes"]
    failed = avion("--debug", "projects", "show", "nothing")
    assert failed.exit_code == 1
    assert "Traceback" in failed.stderr


def test_descriptions_are_imported_listed_and_flagged(answer, avion, images, tmp_path):
    answer("projects", "create", "scenes", images)
    file = tiny_studio.make_descriptions(tmp_path / "texts.json")
    assert answer("descriptions", "import", "scenes", file)["added"] == 12
    assert answer("descriptions", "import", "scenes", file)["known"] == 12
    (tmp_path / "spelled.json").write_text('{"BEACH": ["A sandy beach seen from above, with waves."]}')
    spelled = answer("descriptions", "import", "scenes", tmp_path / "spelled.json", "--preview")
    assert (spelled["added"], spelled["taken_for"]) == (1, {"BEACH": "beach"})
    listed = answer("descriptions", "list", "scenes")["descriptions"]
    assert {row["verdict"] for row in listed} == {"undecided"}
    flagged = answer("descriptions", "flag", "scenes")
    assert (flagged["rule_set"], flagged["flagged"]) == ("extended", 6)
    assert answer("descriptions", "flag", "scenes", "--rule-set", "paper")["flagged"] == 3
    said = avion("descriptions", "flag", "scenes").stdout
    assert "Mentions an overhead view: “Aerial view”" in said
    assert "Too short: 1 word, where 6 to 20 are required." in said


def test_prototypes(answer, avion, scenes):
    found = answer("prototypes", "scenes", "--shots", "1")
    assert [row["texts"] for row in found["classes"]] == [4, 4, 4]
    assert len(found["descriptions"]) == 12
    assert {"similarity", "z", "kept", "weight", "why"} <= set(found["descriptions"][0])
    assert set(found["teacher_accuracy"]) == {"train", "validation"}
    assert "with these prototypes" in avion("prototypes", "scenes").stdout


def test_train_evaluate_map_and_predict(answer, avion, scenes, images, tmp_path):
    run = answer("train", "scenes", "--shots", "2", "--epochs", "2", "--set", "distillation.learning_rate=0.01")
    assert (run["state"], run["step"], run["steps"]) == ("finished", 4, 4)
    assert run["summary"]["trained_parameters"] == 2 * 2 * 64 * 2 + 1

    validation = answer("evaluate", run["run_id"][:6])
    assert validation["split"] == "validation"
    for figure in ("accuracy", "macro_accuracy", "zero_shot_accuracy", "class_mean_accuracy"):
        assert 0 <= validation[figure] <= 100
    assert validation["looks"] == 0
    assert answer("evaluate", "latest", "--split", "test")["images"] == 12
    assert answer("evaluate", "latest", "--split", "test")["looks"] == 2
    assert "Looks at the test set so far: 3." in avion("evaluate", "latest", "--split", "test").stdout

    made = answer("embed-map", "latest", "--method", "tsne", "--neighbours", "3", "--seed", "4")
    points = pd.read_parquet(made["file"])
    assert made["points"] == len(points)
    assert {"x_teacher", "y_before", "nearest_after"} <= set(points.columns)
    assert made["statement"].startswith("On the map: all 6 training shots, all 3 validation images, all 12 descr")
    assert [row["view"] for row in made["figures"]] == ["teacher", "before", "after"]
    assert answer("embed-map", "latest", "--method", "tsne", "--neighbours", "3", "--seed", "4") == made
    assert set(points.loc[points["kind"] == "image", "part"]) == {"train", "validation"}
    with_test = answer("embed-map", "latest", "--method", "tsne", "--test", "--most-images", "14")
    assert "of 12 sealed test images" in with_test["statement"]
    assert answer("evaluate", "latest")["looks"] == 4

    predictions = answer("predict", "latest", images / "beach", images / "forest" / "00.png")["predictions"]
    assert len(predictions) == 9
    assert {"path", "class_key", "prompt_name", "probability", "margin", "runner_up"} <= set(predictions[0])
    assert {row["odd"] for row in predictions} == {""}
    by_teacher = answer("predict", "--teacher", "scenes", images / "beach")
    assert len(by_teacher["predictions"]) == 8
    assert "teacher" in by_teacher["says"].lower()
    scene = tile(tmp_path / "scene.tif", 300, 3000)
    (row,) = answer("predict", "latest", scene)["predictions"]
    assert "too large for one scene: 300 x 300 pixels" in row["odd"]
    assert "3.0 km x 3.0 km of ground" in row["odd"]
    said = avion("predict", "latest", scene).stdout
    assert "odd, see below" in said
    assert row["odd"] in said
    assert not any(name in said.splitlines()[1] for name in tiny_studio.CLASSES)
    written = answer("report", "latest", "--out", tmp_path / "r.html", "--figures", tmp_path / "figures")
    assert "<h1>" in Path(written["file"]).read_text(encoding="utf-8")
    assert {Path(name).suffix for name in written["figures"]} == {".svg", ".png"}
    assert all(Path(name).stat().st_size > 1000 for name in written["figures"])
    assert "Measured on the sealed test images" not in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"Written: {tmp_path / 'r.html'}" in avion("report", "latest", "--test", "--out", tmp_path / "r.html").stdout
    assert "Measured on the sealed test images" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "finished" in avion("runs", "list").stdout
    assert answer("runs", "list", "scenes")["runs"][0]["id"] == run["run_id"]


def test_base_to_novel(answer, folder, tmp_path):
    classes = tiny_studio.FOUR_CLASSES
    home, images = Home(folder, ALONE), tiny_studio.make_images(tmp_path / "four", classes=classes)
    create_project(home, "four", images, defaults=tiny_studio.DEFAULTS)
    import_descriptions(home, "four", tiny_studio.make_descriptions(tmp_path / "four.json", classes))
    answer("train", "four", "--protocol", "base-to-novel", "--epochs", "1", "--name", "half of them")
    assert answer("runs", "list")["runs"][0]["name"] == "half of them"
    found = answer("evaluate", "latest")
    for prefix in ("", "zero_shot_"):
        base, novel, mean = (found[f"{prefix}{name}"] for name in ("base_accuracy", "novel_accuracy", "harmonic_mean"))
        assert mean == pytest.approx(2 * base * novel / (base + novel) if base and novel else 0)


def test_a_model_of_ones_own_is_entered_and_forgotten(answer, avion):
    entered = answer("models", "enter", "ViT-S-32", "--name", "mine", "--licence", "CC-BY-4.0")["entered"]
    assert (entered["name"], entered["licence"], entered["origin"]) == ("mine", "CC-BY-4.0", "")
    assert "CC-BY-4.0" in avion("models", "list").stdout
    again = avion("models", "enter", "ViT-S-32:nothing")
    assert again.exit_code == 1
    assert "open_clip has no such weights of ViT-S-32" in again.stderr.replace("Open_clip", "open_clip")
    assert answer("models", "forget", "mine") == {"name": "mine", "freed_bytes": 0}
    assert "CC-BY-4.0" not in avion("models", "list").stdout


def test_models_are_listed(answer, avion):
    listed = answer("models", "list")["models"]
    assert [row["name"] for row in listed][:2] == ["georsclip-vit-b-32", "georsclip-vit-b-32-ret2"]
    assert "remoteclip-vit-l-14" in avion("models", "list").stdout


def test_weights_are_added_and_downloaded(answer, monkeypatch, tmp_path):
    asked = []
    kept, mine, name = tmp_path / "kept", tmp_path / "mine.pt", "georsclip-vit-b-32"
    kept.touch()
    mine.touch()
    monkeypatch.setattr(WeightStore, "add_local", lambda _, *words: asked.append(words[:2]) or kept)
    monkeypatch.setattr(WeightStore, "download", lambda _, *words: asked.append(words[:1]) or kept)
    monkeypatch.setattr(WeightStore, "need", lambda *_: kept)
    assert answer("models", "add", name, mine) == {"name": name, "path": str(kept)}
    assert answer("models", "download", name) == {"name": name, "path": str(kept)}
    do_jobs_here(monkeypatch)
    job = answer("models", "download", name, "--queue")["job_id"]
    assert answer("jobs", "show", job)["result"] == {"installed": "kept", "size_bytes": 0}
    assert asked == [(name, mine), (name,), (name,)]


def test_doctor_finds_a_healthy_home(answer, scenes):
    found = answer("doctor")
    assert found["ok"]
    assert {"Python", "Device", "Home", "Disk"} <= {check["title"] for check in found["checks"]}


def test_doctor_says_what_is_wrong(avion, tmp_path):
    (tmp_path / "file").touch()
    result = avion("doctor", "--json", "--home", tmp_path / "file" / "home")
    assert result.exit_code == 1
    home = next(check for check in json.loads(result.stdout)["checks"] if check["title"] == "Home")
    assert (home["severity"], "--home or AVION_HOME" in home["hint"]) == ("error", True)


def test_demo_says_what_next(avion):
    result = avion("demo")
    assert result.exit_code == 0
    assert "ucmerced-demo: 1,045 images, 21 classes" in result.stdout
    assert "avion train ucmerced-demo" in result.stdout


def test_sigterm_during_train_saves_and_a_resume_finishes(scenes, answer):
    words = ["train", "scenes", "--set", "distillation.epochs=60", "--json"]
    with subprocess.Popen(
        [sys.executable, tiny_studio.__file__, "avion", *words, "--home", str(scenes.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as training:
        assert training.stderr is not None
        for line in training.stderr:
            if line.startswith("training steps"):
                training.send_signal(signal.SIGTERM)
                break
        out, _ = training.communicate(timeout=120)
    stopped = json.loads(out)
    assert (training.returncode, stopped["state"]) == (0, "stopped")
    assert 0 < stopped["step"] < stopped["steps"]
    assert answer("evaluate", stopped["run_id"])["state"] == "stopped"
    resumed = answer("train", "--resume", stopped["run_id"])
    assert (resumed["run_id"], resumed["state"], resumed["step"]) == (stopped["run_id"], "finished", stopped["steps"])


def test_app_serves_on_this_machine_alone(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "avion_core.cli", "app", "--json", "--home", str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        assert url.startswith("http://127.0.0.1:")
        try:
            assert _healthy(f"{url}/_stcore/health", 90)
        finally:
            server.terminate()
            rest, _ = server.communicate(timeout=30)
    assert rest == ""


def _healthy(url: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return reply.read() == b"ok"
        except OSError:
            time.sleep(0.2)
    return False


def test_given_splits_in_wrappers_are_asked_about_and_taken(avion, answer, tmp_path):
    for number, (key, split) in enumerate(
        (k, s) for k in ("forest", "river") for s in ("train", "holdout") for _ in "ab"
    ):
        folder = tmp_path / "set" / split / "images" / key
        folder.mkdir(parents=True, exist_ok=True)
        scene(number, (24, 24)).save(folder / f"{number}.png")
    said = avion("projects", "create", "scenes", tmp_path / "set")
    assert said.exit_code == 1
    assert "(--folders): split/class" in said.stderr
    made = answer("projects", "create", "scenes", tmp_path / "set", "--folders", "split/class")
    assert [(entry["key"], entry["count"], entry["test"]) for entry in made["classes"]] == [
        ("forest", 4, 2), ("river", 4, 2),
    ]  # fmt: skip


def test_neighbours_are_kept_together_when_asked_for(answer, tmp_path):
    for key in ("forest", "river"):
        (tmp_path / "set" / key).mkdir(parents=True)
        for number in range(30):
            scene(number + 100 * (key == "river"), (24, 24)).save(tmp_path / "set" / key / f"{number:02d}.png")
    made = answer("projects", "create", "scenes", tmp_path / "set", "--keep-together", "series")
    assert (made["keep_together"], made["near_copies_sought"]) == ("series", True)
    assert answer("projects", "copies", "scenes") == {"near_copies": []}

from __future__ import annotations

import shlex

import pytest
import torch

from avion_core.backbones.load import WeightStore
from avion_core.cli.training import overrides as read_overrides
from avion_core.config import PrototypesConfig
from avion_core.data.project import unlabelled_images
from avion_core.errors import CheckpointError, ConfigError, TrainingError
from avion_core.store.database import writing
from avion_core.store.runs import find_run
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.rules import current_rules, run_config, save_rules
from avion_core.usecases.projects.classes import add_class, rename_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.labels import give_labels
from avion_core.usecases.projects.summaries import read_manifest
from avion_core.usecases.runs import launching, views
from avion_core.usecases.runs import preflight as module
from avion_core.usecases.runs.command_line import cli_command
from avion_core.usecases.runs.preflight import preflight
from tests import tiny_studio
from tests.acting import by


@pytest.fixture
def check(home, described, monkeypatch):
    """Messages of a severity, for overrides: check("error", {...}) -> {title: message}."""
    monkeypatch.setattr(WeightStore, "path", lambda *_: "there")

    def look(severity, overrides=None):
        found = preflight(home, described.id, run_config(home, described.id, overrides=overrides))
        assert all(check.hint for check in found if check.severity != "ok")
        return {check.title: check.message for check in found if check.severity == severity}

    return look


def test_a_project_that_is_ready(check):
    assert check("error") == {}
    fine = check("ok")
    assert fine["Shots"] == "2 training images in each of 3 classes."
    assert fine["Descriptions"] == "0 of 12 are reviewed; the rules decide on the others."
    assert fine["Student"] == "GeoRSCLIP ViT-B/32 is installed."


@pytest.mark.parametrize(
    ("overrides", "title", "message"),
    [
        (
            {"student": "demo-teacher"},
            "Student",
            "Demo teacher (EfficientNet-Lite0 + MiniLM) cannot be a student: prompts cannot be added to it.",
        ),
        ({"teacher": "nosuch"}, "Teacher", "The catalog has no model nosuch."),
        ({"distillation.projection": "none"}, "Map", "Teacher and student differ in dimension (1024 and 512)."),
        ({"data.shots": 17}, "Shots", "The project has no split with 17 shots and seed 1."),
        ({"data.seed": 4}, "Shots", "The project has no split with 2 shots and seed 4."),
    ],
)
def test_what_keeps_a_run_from_starting(check, overrides, title, message):
    assert check("error", overrides) == {title: message}


def test_weights_that_are_not_there_or_damaged(check, monkeypatch):
    monkeypatch.setattr(WeightStore, "path", lambda *_: None)
    assert check("error")["Teacher"] == "The weights of GeoRSCLIP ViT-H/14 are not installed."

    def damaged(*_):
        raise CheckpointError("the installed weights have 3 bytes", "Install them again.")

    monkeypatch.setattr(WeightStore, "path", damaged)
    assert "the installed weights have 3 bytes" in check("error")["Student"].lower()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there(check):
    assert check("error", {"device": "cuda"}) == {"Device": "No CUDA device was found."}
    assert "GeoRSCLIP ViT-H/14 takes seconds per image" in check("warning")["Device"]


def test_images_that_are_not_there(check, home, described, images):
    moved = images.rename(images.with_name("away"))
    try:
        assert check("error") == {"Images": f"{images} was not found."}
    finally:
        moved.rename(images)


def test_fewer_images_than_shots(check):
    assert check("warning", {"data.shots": 4})["Shots"] == "Fewer than 4 training images: beach, forest, golfcourse."


def test_images_without_labels_are_counted_before_the_start(check, home, described):
    title, wanted = "Images without labels", {"distillation.unlabelled_images": 1000}
    assert title not in check("ok")
    assert title not in check("ok", {"method": "coop"} | wanted)
    none = "None are outside the shots and held-out images."
    assert check("warning", {"data.shots": 4} | wanted)[title] == none
    config = run_config(home, described.id, overrides={"data.shots": 1} | wanted)
    free = unlabelled_images(freeze(home, described.id), config, [entry.key for entry in described.classes])
    assert check("ok", {"data.shots": 1} | wanted)[title] == f"Learns from {len(free)} images without labels as well."
    assert check("ok", {"data.shots": 1, "distillation.unlabelled_images": 1})[title].startswith("Learns from 1 image ")


@pytest.mark.parametrize("overrides", [{"data.shots": 17}, {"data.seed": 4}])
def test_a_split_that_is_not_there_is_named_also_with_images_without_labels(check, overrides):
    found = check("error", {"distillation.unlabelled_images": 10} | overrides)
    assert list(found) == ["Shots"]


def test_without_training_images_nothing_starts(check, home, described):
    manifest = read_manifest(home, described.id)
    of_class = manifest.groupby("label")["image_id"].agg(list)
    give_labels(home, described.id, dict.fromkeys(of_class["forest"]))
    assert check("error") == {"Shots": "No labelled training image: forest."}
    give_labels(home, described.id, dict.fromkeys(of_class["beach"] + of_class["golfcourse"]))
    (found,) = [one for one in preflight(home, described.id, run_config(home, described.id)) if one.severity == "error"]
    assert (found.message, found.page) == ("No image is labelled for training yet.", "label")
    with pytest.raises(
        TrainingError, match=r"No image is labelled for training yet\. Label a few images of each class"
    ):
        launching.create_run(home, described.id)


def test_only_the_classes_that_are_trained_count(home, four, tiny_towers):
    def check(severity):
        found = preflight(home, four.id, run_config(home, four.id, overrides={"protocol.name": "base-to-novel"}))
        return {one.title: one.message for one in found if one.severity == severity}

    of_class = read_manifest(home, four.id).groupby("label")["image_id"].agg(list)
    give_labels(home, four.id, dict.fromkeys(of_class["golfcourse"]))
    assert check("error") == {}
    assert check("ok")["Shots"] == "2 training images in each of 2 classes."
    # Of the base classes (beach, forest) none may be without.
    give_labels(home, four.id, dict.fromkeys(of_class["forest"]))
    assert check("error") == {"Shots": "No labelled training image: forest."}


def test_one_novel_class_is_no_protocol(check):
    said = check("error", {"protocol.name": "base-to-novel"})
    assert said == {"Protocol": "Base-to-novel needs two novel classes or more."}


def test_what_a_method_does_not_take_is_not_asked_for(check, home, images, tiny_towers):
    create_project(home, "without texts", images, defaults=tiny_studio.DEFAULTS)

    def said(severity, **overrides):
        found = preflight(home, "without texts", run_config(home, "without texts", overrides=overrides))
        return {one.title: one.message for one in found if one.severity == severity}

    assert "Descriptions" in said("error")
    assert said("error", method="class_mean") == {}
    assert said("ok", method="class_mean")["Descriptions"] == "Not used by class mean."
    assert "Not used" in said("ok", method="zero_shot")["Shots"]
    assert "Descriptions" in said("error", method="mapped_prototypes")
    for preset in ("B0", "B1", "B2"):
        found = preflight(home, "without texts", run_config(home, "without texts", preset))
        assert [one for one in found if one.severity == "error"] == [], preset


@pytest.mark.parametrize(("classes", "message"), [((), "no class"), (("beach",), "only one class")])
def test_fewer_than_two_classes(check, home, images, classes, message):
    bare = create_project(home, "bare", images, class_folders=False)
    for name in classes:
        add_class(home, bare.id, name)
    (found,) = [one for one in preflight(home, bare.id, run_config(home, bare.id)) if one.title == "Classes"]
    assert (found.message, found.severity, found.page) == (f"There is {message} to train on.", "error", "classes")


def test_nothing_held_out_is_warned_of(check, home, images):
    bare = create_project(home, "bare", images, class_folders=False)
    paths = read_manifest(home, bare.id).set_index("path")["image_id"]
    for name in tiny_studio.CLASSES:
        add_class(home, bare.id, name)
    give_labels(home, bare.id, {paths[f"{name}/00.png"]: name for name in tiny_studio.CLASSES})
    (found,) = [one for one in preflight(home, bare.id, run_config(home, bare.id)) if one.title == "Validation"]
    assert (found.severity, found.page) == ("warning", "label")


def test_the_run_done_before_is_named(home, described, monkeypatch):
    monkeypatch.setattr(WeightStore, "path", lambda *_: "there")
    run = launching.create_run(home, described.id, name="the first")
    (found,) = [
        one for one in preflight(home, described.id, run_config(home, described.id)) if one.title == "Same settings"
    ]
    assert (found.run, found.page) == (run, "runs")
    assert f"The run “the first” ({run}) has the same settings" in found.message


def test_a_class_without_a_text(check, home, described):
    for item in current_descriptions(home, described.id).query("class_key == 'forest'")["description_id"]:
        record_verdict(home, described.id, item, "reject")
    assert check("error") == {"Descriptions": "No usable description: forest."}
    fallback = {"prototypes.template_fallback": True}
    assert (check("error", fallback), check("warning", fallback)["Descriptions"]) == (
        {},
        "No usable description: forest.",
    )
    assert check("error", {"prototypes.source": "template"}) == {}


def test_reviewers_who_disagree(check, home, described):
    item = current_descriptions(home, described.id)["description_id"][0]
    record_verdict(by("ann", home), described.id, item, "accept")
    record_verdict(by("bob", home), described.id, item, "reject")
    assert check("warning")["Verdicts"] == "Reviewers disagree on 1 description."


def test_little_room_and_company(check, home, described, monkeypatch):
    other = launching.create_run(home, described.id, overrides={"data.seed": 2})
    with writing(home.engine) as session:
        find_run(session, other).job.state = "running"
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Room", (), {"free": 2e8}))
    warnings = check("warning")
    assert warnings["Disk"] == f"Only 0.2 GB are free in {home.path}."
    assert warnings["Other runs"] == "1 already running; they share the machine."


def test_a_run_that_is_not_ready_is_not_queued(home, described, check):
    with pytest.raises(ConfigError, match=r"no split with 17 shots and seed 1\. Choose up to 16 shots"):
        launching.create_run(home, described.id, overrides={"data.shots": 17})
    assert views.list_runs(home) == []


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("recommended", {}),
        ("paper", {"data.shots": 1, "data.seed": 2, "distillation.epochs": 7, "protocol.name": "base-to-novel"}),
        ("recommended", {"method": "linear_probe", "options.model": "teacher"}),
        ("B0", {"prototypes.zeta": 3.0, "distillation.augment": True, "model.template": "a photo of {}, it's big"}),
    ],
)
def test_the_command_shown_trains_with_the_same_settings(home, described, preset, overrides):
    save_rules(home, described.id, PrototypesConfig(zeta=2.0), current_rules(home, described.id)[1])
    config = run_config(home, described.id, preset, overrides)
    words = shlex.split(cli_command(home, described.id, config, preset=preset))
    assert words[:3] == ["avion", "train", "scenes"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    pairs = [value for name, value in zip(words[3::2], words[4::2], strict=True) if name == "--set"]
    direct = {
        "data.shots": options.get("--shots"),
        "data.seed": options.get("--seed"),
        "distillation.epochs": options.get("--epochs"),
        "protocol.name": options.get("--protocol"),
        "method": options.get("--method"),
    }
    assert options.get("--preset", "recommended") == preset
    assert run_config(home, described.id, preset, read_overrides(pairs, direct)) == config


def test_a_preset_is_named_only_where_that_is_shorter(home, described):
    config = run_config(home, described.id)
    assert cli_command(home, described.id, config, preset="B2") == "avion train scenes"
    config = run_config(home, described.id, overrides={"data.shots": 1})
    sweep = cli_command(home, described.id, config, [1, 2], [3], name="it's one")
    assert sweep == (
        "for shots in 1 2; do for seed in 3; do avion train scenes --name 'it'\"'\"'s one' "
        '--shots "$shots" --seed "$seed"; done; done'
    )


def test_class_names_without_words_are_told(check, home, described):
    assert "Class names" not in check("warning")
    for key, name in (("beach", "0"), ("forest", "n01440764")):
        rename_class(home, described.id, key, name)
    assert check("warning")["Class names"] == "No word for a model to go by: 0, n01440764."

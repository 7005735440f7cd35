from __future__ import annotations

import json
import shutil

import pytest

from avion_core.config import DescriptionsConfig, PrototypesConfig
from avion_core.errors import ConfigError, DataError, DescriptionError, NotFoundError
from avion_core.usecases.curation.rules import current_rules, run_config, save_rules
from avion_core.usecases.projects.creating import create_project, open_demo
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import get_project, list_projects, read_manifest, read_splits
from tests import tiny_studio


def test_a_project_from_class_folders(home, project):
    assert (project.name, project.images, project.labelled) == ("scenes", 24, 24)
    assert [entry.key for entry in project.classes] == ["beach", "forest", "golfcourse"]
    assert [entry.prompt_name for entry in project.classes] == ["beach", "forest", "golf course"]
    assert {(entry.count, entry.test) for entry in project.classes} == {(8, 4)}
    assert get_project(home, "scenes") == get_project(home, project.id) == project
    assert list_projects(home) == [project]


def test_splits_are_frozen(home, project, images):
    before = read_splits(home, project.id)
    test = set(before.test)
    assert len(test) == 12
    shots = {image for ids in before.shots(1, 16).values() for image in ids}
    assert not test & shots
    assert read_splits(home, project.id) == before
    assert set(read_manifest(home, project.id)["image_id"]) >= test | shots


def test_another_project_over_the_same_folder_seals_the_same_images(home, project, images):
    again = create_project(home, "the same again", images)
    assert read_splits(home, again.id) == read_splits(home, project.id)


def test_a_project_may_begin_without_labels_or_with_too_few(home, images, tmp_path):
    flights = create_project(home, "flights", images, class_folders=False)
    assert (flights.images, flights.labelled, flights.classes, flights.drawn) == (24, 0, [], False)
    assert "label two or more images" in flights.notes[0]

    few = tmp_path / "few.csv"
    few.write_text("path,label\nbeach/00.png,beach\nforest/00.png,forest\nforest/01.png,forest\n")
    project = create_project(home, "few", images, labels=few)
    assert (project.labelled, project.drawn) == (3, False)
    assert {entry.key: (entry.count, entry.train) for entry in project.classes} == {"beach": (1, 1), "forest": (2, 2)}


def test_a_caption_file_names_pictures_and_their_split(home, images, tmp_path):
    listed = [("beach/00.png", "train"), ("beach/01.png", "test"), ("gone.png", "val")]
    captions = [{"filename": name, "split": split, "sentences": [{"raw": "Sand."}]} for name, split in listed]
    (tmp_path / "captions.json").write_text(json.dumps({"images": captions}))
    project = create_project(home, "captioned", images, labels=tmp_path / "captions.json")
    manifest = read_manifest(home, project.id).set_index("path")
    assert (project.images, project.labelled) == (24, 0)
    assert manifest["split"].value_counts().to_dict() == {"": 22, "train": 1, "test": 1}
    assert [problem.path for problem in project.problems] == ["gone.png"]


def test_a_project_that_failed_leaves_its_name_free(home, images, tmp_path):
    with pytest.raises(DataError):
        create_project(home, "scenes", tmp_path / "nowhere")
    assert list_projects(home) == []
    create_project(home, "scenes", images)


def test_rules_are_versioned(home, project):
    prototypes, descriptions, version = current_rules(home, project.id)
    assert (version, prototypes, descriptions) == (0, PrototypesConfig(), DescriptionsConfig())
    stricter = PrototypesConfig(zeta=2.0)
    assert save_rules(home, project.id, stricter, descriptions) == 1
    assert save_rules(home, project.id, stricter, descriptions) == 1  # the same again is no new version
    assert save_rules(home, project.id, PrototypesConfig(), descriptions) == 2
    assert save_rules(home, project.id, stricter, descriptions) == 3
    assert current_rules(home, project.id) == (stricter, descriptions, 3)


def test_a_run_starts_from_defaults_rules_preset_and_overrides_in_this_order(home, project):
    save_rules(home, project.id, PrototypesConfig(zeta=2.0), DescriptionsConfig(rule_set="paper"))
    config = run_config(home, project.id)
    assert config.student == "georsclip-vit-b-32"
    assert config.model.visual_prompts == 2  # the project's default
    assert config.prototypes.zeta == 2.0  # its rules
    config = run_config(home, project.id, "B5", {"data.shots": 1, "prototypes.beta": 5})
    assert config.student == "georsclip-vit-b-32"
    assert (config.model.visual_prompts, config.prototypes.zeta) == (8, 3.0)  # the preset, before both
    assert config.distillation.logit_weight == 0.0
    assert (config.data.shots, config.prototypes.beta) == (1, 5.0)  # the overrides


def test_descriptions_come_in_once(home, described, tmp_path):
    again = import_descriptions(home, described.id, tmp_path / "texts.json")
    assert described.descriptions == 12
    assert (again.added, again.known) == (0, 12)
    assert again.sentence == "0 descriptions added; 12 existed already."


def test_what_an_import_leaves_out_is_told(home, project, tmp_path):
    file = tmp_path / "texts.jsonl"
    file.write_text(
        '{"class": "beach", "text": "Aerial view of sand."}\n'
        '{"class": "beach", "text": "aerial view of SAND"}\n'
        '{"class": "volcano", "text": "Aerial view of a crater."}\n'
        '{"class": "forest", "text": " "}\n'
    )
    report = import_descriptions(home, project.id, file)
    assert report.sentence == (
        "1 description added; 1 were duplicates and were left out; 1 not imported: of classes that the project lacks "
        "(volcano); 1 could not be used: line 4: the text is empty."
    )


@pytest.mark.parametrize(("which", "classes", "images"), [("ucmerced", 21, 1045), ("eurosat", 10, 600)])
def test_the_demo_opens_and_opens_again(home, which, classes, images):
    demo = open_demo(home, which)
    assert (len(demo.classes), demo.images, demo.problems) == (classes, images, [])
    assert {entry.test for entry in demo.classes} == {25 if which == "ucmerced" else 30}
    assert demo.descriptions > 500
    assert demo.verdicts == {}
    assert run_config(home, demo.id).student == "demo-student"
    assert open_demo(home, which) == demo


@pytest.mark.long
def test_the_demo_with_its_reference_verdicts(home):
    demo = open_demo(home, "ucmerced", curated=True)
    assert demo.verdicts["rejected"] > 100
    assert open_demo(home, "ucmerced", curated=True).verdicts == demo.verdicts


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda home, images: get_project(home, "atlantis"), NotFoundError,
         "There is no such project: atlantis. Existing projects: scenes."),
        (lambda home, images: create_project(home, "scenes", images), DataError,
         "A project with this name already exists: scenes. Choose another name, or open that project."),
        (lambda home, images: create_project(home, "  ", images), DataError, "A project needs a name"),
        (lambda home, images: create_project(home, "new", images / "nowhere"), DataError,
         "The image folder does not exist"),
        (lambda home, images: create_project(home, "new", images, labels=images / "none.csv"), DataError, "none.csv"),
        (lambda home, images: create_project(home, "new", images, modality="x-ray"), ConfigError,
         "The setting descriptions.modality cannot be used: x-ray."),
        (lambda home, images: open_demo(home, "mars"), NotFoundError,  # type: ignore[arg-type]
         "There is no such demo: mars. Choose one of: ucmerced, eurosat."),
        (lambda home, images: import_descriptions(home, "scenes", images / "none.json"), DescriptionError, "none.json"),
        (lambda home, images: run_config(home, "scenes", "best"), ConfigError, "There is no such preset: best."),
        (lambda home, images: run_config(home, "scenes", "paper", {"data.shot": 1}), ConfigError,
         "The setting data.shot does not exist: 1. The settings are: data.shots, data.seed, data.label_budget."),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(home, project, images, call, error, message):
    with pytest.raises(error) as raised:
        call(home, images)
    assert message in str(raised.value)


def test_folders_that_can_be_read_in_two_ways_are_asked_about(home, tmp_path, images):
    for split in ("train", "test"):
        shutil.copytree(images, tmp_path / "given" / split)
        for file in (tmp_path / "given" / split).rglob("*.png"):
            file.write_bytes(file.read_bytes() + split.encode())  # other contents
    with pytest.raises(DataError, match=r"test, train look like splits.*--folders.: split/class"):
        create_project(home, "given", tmp_path / "given", defaults=tiny_studio.DEFAULTS)
    made = create_project(home, "given", tmp_path / "given", order="split/class", defaults=tiny_studio.DEFAULTS)
    manifest = read_manifest(home, made.id).set_index("image_id")
    assert all(str(manifest["path"][image]).startswith("test/") for image in read_splits(home, made.id).test)
    assert {entry.key for entry in made.classes} == {path.name for path in images.iterdir()}

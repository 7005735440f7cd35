"""Images that a training looks at without their labels: which ones, and that labels of theirs are never looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from avion_core.data.project import ProjectData, held_out_images, training_images, unlabelled_images
from avion_core.distill.teacher_side import TeacherSide
from avion_core.methods import find_method
from avion_core.methods.avion import Avion
from avion_core.methods.method import Task
from avion_core.presets import PRESETS, make_config
from tests import tiny_studio
from tests.methods.tiny_task import NAMES, make_task

TINY = tiny_studio.DEFAULTS


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)


def config(most: int = 1000, **more):
    wanted = {"data.shots": 2, "data.seed": 1, "distillation.unlabelled_images": most, "distillation.epochs": 1}
    return make_config(overrides=wanted | {"distillation.precision": "float32"} | more, base=TINY)


def test_they_are_all_that_is_no_shot_and_held_out_nowhere(project: ProjectData) -> None:
    of = config()
    found = unlabelled_images(project, of, list(NAMES))
    taught = training_images(project, of, list(NAMES)).image_ids
    held_out = [i for part in ("validation", "test") for i in held_out_images(project, of, list(NAMES), part).image_ids]
    validation = [image for images in project.splits.validation[1].values() for image in images]
    assert found
    assert not set(found) & {*taught, *held_out, *validation}
    assert {*found, *taught, *held_out, *validation} == set(project.manifest["image_id"])


def test_none_is_drawn_unless_asked_for(project: ProjectData) -> None:
    assert unlabelled_images(project, config(0), list(NAMES)) == []
    for preset in ("recommended", "paper", "authors"):
        assert make_config(preset).distillation.unlabelled_images == 0
    assert "unlabelled_images" not in str(PRESETS["demo"])


def test_fewer_are_drawn_with_the_seed(project: ProjectData) -> None:
    draws = [unlabelled_images(project, config(3, **{"data.seed": seed}), list(NAMES)) for seed in (1, 1, 2)]
    assert [len(draw) for draw in draws] == [3, 3, 3]
    assert draws[0] == draws[1] != draws[2]
    shuffled = replace(project, manifest=project.manifest.sample(frac=1, random_state=3))
    assert unlabelled_images(shuffled, config(3), list(NAMES)) == draws[0]


def test_labels_do_not_matter_where_all_classes_are_trained(project: ProjectData) -> None:
    free = unlabelled_images(project, config(), list(NAMES))
    unlabelled = project.manifest.assign(
        label=project.manifest["label"].mask(project.manifest["image_id"].isin(free), "")
    )
    assert unlabelled_images(replace(project, manifest=unlabelled), config(), list(NAMES)) == free


def test_with_classes_kept_apart_only_images_of_the_others_are_seen(project: ProjectData) -> None:
    """An image without a label may show a class that is kept for the measuring."""
    base = list(NAMES)[:2]
    found = unlabelled_images(project, config(), base)
    label = dict(zip(project.manifest["image_id"], project.manifest["label"], strict=True))
    assert {label[image] for image in found} == set(base)
    hidden = project.manifest.assign(
        label=project.manifest["label"].mask(project.manifest["image_id"].isin(found[:2]), "")
    )
    assert unlabelled_images(replace(project, manifest=hidden), config(), base) == found[2:]


def test_neighbours_of_test_images_are_left_out(project: ProjectData) -> None:
    free = unlabelled_images(project, config(), list(NAMES))
    sealed = project.splits.test[0]
    groups = (
        project.manifest["image_id"].map({free[0]: "one place", sealed: "one place", free[1]: "another"}).fillna("")
    )
    grouped = replace(project, manifest=project.manifest.assign(group=groups))
    assert unlabelled_images(grouped, config(), list(NAMES)) == free[1:]


def test_a_run_keeps_them_and_goes_on_with_the_same(project: ProjectData, tmp_path) -> None:
    of = config(**{"distillation.least_steps": 6})
    task = make_task(project, of, tmp_path, "run", iter([False, False, True]).__next__)
    assert task.shots.image_ids
    for _ in Avion(task.bench, of.options).fit(task):
        pass
    side = TeacherSide.load(tmp_path / "run")
    assert list(side.unlabelled_ids) == unlabelled_images(project, of, list(NAMES))
    assert side.unlabelled is not None
    assert len(side.unlabelled) == len(side.unlabelled_ids)

    whole = make_task(project, of, tmp_path, "whole")
    resumed, unbroken = (find_method("avion")(one.bench, of.options) for one in (task, whole))
    fewer = replace(project, manifest=project.manifest.iloc[:-1])  # what a run began with is what it goes on with
    for method, one in ((resumed, Task(fewer, list(NAMES), of, task.bench, tmp_path / "run")), (unbroken, whole)):
        for _ in method.fit(one):
            pass
    learnt, other = (dict(method.student.state_dict()) for method in (resumed, unbroken))
    assert all(torch.equal(tensor, other[name]) for name, tensor in learnt.items())
    assert resumed.summary()["unlabelled_images"] == len(side.unlabelled_ids)

"""Retrieval from caption file to report: parts, leaks, a training that is real, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL.Image import Image
from safetensors.torch import load_file

from avion_core.backbones.load import WeightStore
from avion_core.config import RunConfig
from avion_core.data.captioned import Captioned, captioned_part, match_captions, shared_images, teaching_captions
from avion_core.data.captions import CAPTION_COLUMNS, Captions
from avion_core.data.project import ProjectData
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import scan_folder
from avion_core.data.sources import ImageFolder
from avion_core.data.splits import undrawn
from avion_core.errors import ConfigError, DataError, TrainingError
from avion_core.experiment import Event, Finished, Metrics, Stopped, run_experiment
from avion_core.features.store import FeatureStore
from avion_core.presets import make_config
from avion_core.protocols import find_protocol
from avion_core.protocols.harness import evaluate
from avion_core.protocols.report import Report
from tests import tiny_studio

SAID = {
    "beach": ("pale sand lies beside the sea", "a long beach of bright sand"),
    "forest": ("dark trees stand close together", "a dense green forest"),
    "golfcourse": ("light lawns with small bunkers", "a golf course seen from above"),
    "river": ("blue water runs through the land", "a wide river with green banks"),
}
SETTINGS: dict[str, object] = {
    "protocol.name": "retrieval",
    "model.visual_prompts": 2,
    "model.text_prompts": 2,
    "distillation.epochs": 15,
    "distillation.batch_size": 8,
    "distillation.learning_rate": 2e-2,
    "distillation.precision": "float32",
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectData:
    root = tiny_studio.make_images(tmp_path_factory.mktemp("captioned") / "scenes", 10, tiny_studio.FOUR_CLASSES)
    manifest = scan_folder(root, class_folders=False).manifest
    paths = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    rows = [
        (image, "test" if number in (8, 9) else "train", f"{text}, field {number}" if text.startswith("a ") else text)
        for image, path in paths.items()
        for number in [int(Path(path).stem)]
        for text in SAID[Path(path).parent.name]
    ]
    captions = pd.DataFrame(rows, columns=list(CAPTION_COLUMNS))
    nothing = pd.DataFrame(columns=["description_id", "class_key", "text", "verdict", "writer"])
    return ProjectData(
        "captioned", ImageFolder(root, paths), manifest, undrawn(), RenderingRecipe(), {}, nothing, captions
    )


def settings(**changes: object) -> RunConfig:
    return make_config(overrides=SETTINGS | changes)


class Run:
    """A run's folder and what it is computed with."""

    def __init__(self, folder: Path, project: ProjectData, config: RunConfig, *others: ProjectData) -> None:
        self.folder, self.project, self.config, self.others = folder / "run", project, config, others
        self.features, self.weights = FeatureStore(folder / "features"), WeightStore(folder / "weights")

    def train(self, should_stop: Callable[[], bool] = lambda: False) -> list[Event]:
        return list(
            run_experiment(
                self.project,
                self.config,
                self.folder,
                others=self.others,
                features=self.features,
                weights=self.weights,
                should_stop=should_stop,
            )
        )

    def report(self, split: str) -> Report:
        return evaluate(
            self.project,
            self.config,
            self.folder,
            split,
            others=self.others,
            features=self.features,
            weights=self.weights,
        )


def test_training_on_captions_finds_more_of_the_images_it_never_saw(tmp_path: Path, project: ProjectData) -> None:
    run = Run(tmp_path, project, settings())
    events = run.train()
    assert isinstance(events[-1], Finished)
    figures = [event.values for event in events if isinstance(event, Metrics)]
    watched = [values["validation_mr"] for values in figures if "validation_mr" in values]
    assert events[-1].summary["validation_mr"] == pytest.approx(watched[-1], abs=0.3)
    report = run.report("test")
    before, after = report.value("captions", "mr", "zero_shot", "student"), report.value("captions", "mr")
    assert before is not None
    assert after is not None
    assert after > before + 15


def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path: Path, project: ProjectData) -> None:
    config = settings(**{"distillation.epochs": 2, "distillation.checkpoint_seconds": 0})
    whole = Run(tmp_path / "whole", project, config)
    whole.train()
    halted = Run(tmp_path / "halted", project, config)
    steps = iter([False, False, True])
    assert isinstance(halted.train(lambda: next(steps, True))[-1], Stopped)
    halted.train()
    first, second = (load_file(run.folder / "adapter.safetensors") for run in (whole, halted))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_both_models_as_they_come_stand_beside_it_and_nothing_else(tmp_path: Path, project: ProjectData) -> None:
    run = Run(tmp_path, project, settings(method="zero_shot"))
    run.train()
    report = run.report("validation")
    assert set(zip(report.figures["method"], report.figures["model"], strict=True)) == {
        ("zero_shot", "student"),
        ("zero_shot", "teacher"),
    }
    assert report.by_captions
    assert report.headline() == [("captions", "mr")]
    figures = report.figures
    bounds = figures[["low", "value", "high"]].to_numpy(float)
    assert (np.diff(bounds, axis=1) >= 0).all()
    assert bounds.min() >= 0
    assert bounds.max() <= 100
    assert set(figures["n"]) == {len(captioned_part(project, "validation", 1).image_ids)}


def test_figures_are_those_of_the_embeddings(tmp_path: Path, project: ProjectData) -> None:
    run = Run(tmp_path, project, settings(method="zero_shot"))
    run.train()
    report, found = run.report("test"), captioned_part(project, "test", 1)
    towers = tiny_studio.tiny_towers(tiny_studio.TINY["student"])
    pixels = torch.stack([towers.prepare(image) for image in opened(found)])
    scores = towers.encode_image(pixels) @ towers.encode_text(found.texts).T
    assert report.value("captions", "mr") == pytest.approx(brute_force_mr(scores, found.owners), abs=0.3)


def opened(found: Captioned) -> list[Image]:
    return [found.project.source.open(image, found.project.recipe) for image in found.image_ids]


def brute_force_mr(scores: torch.Tensor, owners: list[int]) -> float:
    """The mean of the six recalls, over all orders of equal scores by drawing many."""
    generator = torch.Generator().manual_seed(0)
    values: list[float] = []
    for _ in range(400):
        noisy = scores.double() + 1e-9 * torch.rand(scores.shape, generator=generator, dtype=torch.float64)
        for k in (1, 5, 10):
            top = noisy.topk(min(k, noisy.shape[1]), dim=1).indices.tolist()
            values.append(sum(any(owners[t] == i for t in row) for i, row in enumerate(top)) / len(top))
            top = noisy.T.topk(min(k, noisy.shape[0]), dim=1).indices.tolist()
            values.append(sum(owners[t] in row for t, row in enumerate(top)) / len(top))
    return 100 * sum(values) / len(values)


def test_images_held_out_by_one_data_set_teach_in_none(tmp_path: Path, project: ProjectData) -> None:
    """The second data set trains on what the first one tests on."""
    other = replace(project, name="other", captions=project.captions.assign(split="train"))
    tested = set(captioned_part(project, "test", 1).image_ids)
    taught = [image for part in teaching_captions([project, other], 1) for image in part.image_ids]
    assert tested
    assert not tested & set(taught)
    held = {image for one in (project, other) for image in captioned_part(one, "validation", 1).image_ids}
    assert not held & set(taught)
    assert shared_images([project, other], 1) > len(tested) // 2
    run = Run(tmp_path, project, settings(**{"distillation.epochs": 1}), other)
    run.train()
    report = run.report("validation")
    assert report.headline() == [("captions", "mr"), ("other", "mr")]


def test_validation_is_held_out_by_group_whatever_the_order(project: ProjectData) -> None:
    grouped = replace(project, manifest=project.manifest.assign(group=[f"g{n // 3}" for n in range(40)]))
    groups = dict(zip(grouped.manifest["image_id"], grouped.manifest["group"], strict=True))
    drawn = {seed: captioned_part(grouped, "validation", seed).image_ids for seed in (1, 2)}
    training = {groups[image] for image in captioned_part(grouped, "train", 1).image_ids}
    assert drawn[1]
    assert not {groups[image] for image in drawn[1]} & training
    assert drawn[1] != drawn[2]
    turned = replace(grouped, manifest=grouped.manifest[::-1], captions=grouped.captions[::-1])
    assert captioned_part(turned, "validation", 1).image_ids == drawn[1]


def test_validation_images_of_the_file_are_taken_as_they_are(project: ProjectData) -> None:
    first = project.captions["image_id"].iloc[0]
    table = project.captions.assign(
        split=project.captions["split"].mask(project.captions["image_id"] == first, "validation")
    )
    assert captioned_part(replace(project, captions=table), "validation", 1).image_ids == [first]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "coop"}, "needs a method that embeds images and texts"),
        ({"method": "zero_shot_ensemble"}, "needs a method that embeds images and texts"),
        ({"protocol.projects": ("a", "a")}, "names a project twice"),
        ({"model.class_mean": "by_shots"}, "setting model.class_mean is for training on classes"),
        (
            {"distillation.teacher_logits": "texts_and_images"},
            "setting distillation.teacher_logits is for training on classes",
        ),
        ({"distillation.unlabelled_images": 5}, "setting distillation.unlabelled_images is for training on classes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_protocol("retrieval").check(settings(**changes))


def test_nothing_to_learn_from_is_said(tmp_path: Path, project: ProjectData) -> None:
    bare = replace(project, captions=project.captions.iloc[:0])
    with pytest.raises(TrainingError, match="There are no training images with captions"):
        Run(tmp_path / "bare", bare, settings()).train()
    run = Run(tmp_path, replace(project, captions=project.captions.assign(split="train")), settings(method="zero_shot"))
    run.train()
    with pytest.raises(DataError, match="There are no test images with captions"):
        run.report("test")


def test_copies_have_their_captions_together_and_the_safest_part() -> None:
    rows = [("a.png", "train", ("one", "two")), ("b.png", "test", ("two", "three")), ("lost.png", "train", ("x",))]
    found = Captions(pd.DataFrame(rows, columns=["path", "split", "captions"]), [])
    table, problems = match_captions(found, {"a.png": "same", "b.png": "same"})
    assert table["text"].tolist() == ["one", "two", "two", "three"]
    assert set(zip(table["image_id"], table["split"], strict=True)) == {("same", "test")}
    assert [(one.kind, one.path) for one in problems] == [("conflict", "b.png"), ("missing", "lost.png")]
    with pytest.raises(DataError, match="No image of the caption file"):
        match_captions(found, {"c.png": "other"})


def test_a_run_keeps_its_captions_and_refuses_damaged_ones(tmp_path: Path, project: ProjectData) -> None:
    project.save(tmp_path)
    loaded = ProjectData.load(tmp_path, project.source)
    pd.testing.assert_frame_equal(loaded.captions, project.captions)
    for damage in ({"split": "dev"}, {"text": 3}):
        project.captions.assign(**damage).to_parquet(tmp_path / "captions.parquet")
        with pytest.raises(DataError, match="something else than texts"):
            ProjectData.load(tmp_path, project.source)
    project.captions.drop(columns="text").to_parquet(tmp_path / "captions.parquet")
    with pytest.raises(DataError, match="lacks the column text"):
        ProjectData.load(tmp_path, project.source)

"""One run on a tiny project, from settings to figures: artifacts, both protocols, stop and resume, refusals."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from avion_core import experiment
from avion_core.backbones.load import WeightStore
from avion_core.config import RunConfig, make_config
from avion_core.data.project import ProjectData, class_sets
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import scan_folder
from avion_core.data.sources import ImageFolder
from avion_core.data.splits import make_splits
from avion_core.errors import CheckpointError, ConfigError, DataError, PrototypeError
from avion_core.experiment import Event, Finished, Metrics, Saved, Stopped, run_experiment
from avion_core.features.store import FeatureStore
from avion_core.protocols.baselines import class_mean, linear_probe
from avion_core.protocols.evaluate import evaluate
from avion_core.protocols.predict import load_student, predict
from tests import tiny_studio
from tests.tiny_clip import make_tiny_clip

NAMES = {"beach": "beach", "forest": "forest", "golfcourse": "golf course"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectData:
    root = tiny_studio.make_images(tmp_path_factory.mktemp("project") / "scenes", per_class=10)
    manifest = scan_folder(root).manifest
    paths = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    rows = [
        {
            "description_id": f"{key}-{i}",
            "class_key": key,
            "text": text.format(name),
            "verdict": "undecided",
            "writer": "w",
        }
        for key, name in NAMES.items()
        for i, text in enumerate(tiny_studio.TEXTS)
    ]
    splits = make_splits(manifest, dataset="tiny")
    return ProjectData("tiny", ImageFolder(root, paths), manifest, splits, RenderingRecipe(), NAMES, pd.DataFrame(rows))


class Bench:
    """Where a run's parts are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.features, self.weights = folder, FeatureStore(folder / "features"), WeightStore(folder / "w")

    def run(self, project: ProjectData, config: RunConfig, name: str = "run") -> list[Event]:
        parts = {"features": self.features, "weights": self.weights}
        return list(run_experiment(project, config, self.folder / name, **parts))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def config(**settings) -> RunConfig:
    return make_config(overrides=settings, base=tiny_studio.DEFAULTS | tiny_studio.TINY)


def test_a_run_leaves_what_the_paper_needs(project: ProjectData, bench: Bench) -> None:
    events = bench.run(project, config())
    metrics = [event for event in events if isinstance(event, Metrics)]
    assert [m.step for m in metrics] == list(range(1, 7))
    assert {e.kind for e in events if isinstance(e, Saved)} == {"prototypes", "adapter"}
    assert isinstance(events[-1], Finished)
    summary = events[-1].summary
    assert summary["trained_parameters"] == 2 * 2 * 64 + 2 * 2 * 64 + 1
    assert summary["projection"] == "procrustes"
    assert 0 < summary["projection_rank"] <= 32
    table = pd.read_parquet(bench.folder / "run" / "prototypes.parquet")
    assert len(table) == 12
    assert table.groupby("class_key")["weight"].sum().to_numpy() == pytest.approx([1.0] * 3)
    figures = evaluate(project, config(), bench.folder / "run", "test", features=bench.features, weights=bench.weights)
    assert figures["images"] == len(project.splits.test) == sum(map(sum, figures["confusion"]))
    assert figures["accuracy"] == pytest.approx(100 * sum(p["correct"] for p in figures["predictions"]) / 15)
    assert figures["class_mean_accuracy"] == 100.0  # colours tell the classes apart
    json.dumps(figures)


def test_base_to_novel_never_touches_novel_classes_in_training(project: ProjectData, bench: Bench) -> None:
    settings = config(**{"protocol.name": "base-to-novel"})
    sets = class_sets(NAMES, settings.protocol, 1)
    assert sets == {"base": ["beach", "forest"], "novel": ["golfcourse"]}
    opened: list[str] = []
    real = experiment.image_features

    def spy(towers, images, *rest, **more):
        opened.extend(path.parent.name for path in images.files)
        return real(towers, images, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "image_features", spy)
        bench.run(project, settings)
    assert set(opened) == {"beach", "forest"}
    table = pd.read_parquet(bench.folder / "run" / "prototypes.parquet")
    assert set(table["class_key"]) == {"beach", "forest"}
    figures = evaluate(project, settings, bench.folder / "run", "test", features=bench.features, weights=bench.weights)
    base, novel = figures["base_accuracy"], figures["novel_accuracy"]
    assert novel == 100.0  # one novel class among itself
    assert figures["harmonic_mean"] == pytest.approx(2 * base * novel / (base + novel))
    assert {"zero_shot_harmonic_mean", "teacher_zero_shot_base_accuracy"} <= set(figures)


def test_a_stopped_run_goes_on_to_the_same_bits(project: ProjectData, bench: Bench) -> None:
    settings = config(**{"distillation.checkpoint_seconds": 0})
    bench.run(project, settings, "whole")
    asked = iter([False, False, True])
    parts = {"features": bench.features, "weights": bench.weights}
    folder = bench.folder / "broken"
    events = list(run_experiment(project, settings, folder, should_stop=lambda: next(asked), **parts))
    assert events[-1] == Stopped(3, 6)
    events = list(run_experiment(project, settings, folder, **parts))
    assert [e.step for e in events if isinstance(e, Metrics)] == [4, 5, 6]
    whole = load_file(bench.folder / "whole" / "state.safetensors")
    resumed = load_file(folder / "state.safetensors")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_resume_with_other_settings_is_refused(project: ProjectData, bench: Bench) -> None:
    bench.run(project, config())
    with pytest.raises(ConfigError, match=r"differ from those the run began with: distillation. Resume with the same"):
        bench.run(project, config(**{"distillation.epochs": 4}))


def test_a_run_killed_after_its_last_checkpoint_ends_with_the_same_figures(project: ProjectData, bench: Bench) -> None:
    whole, again = (bench.run(project, config())[-1] for _ in range(2))
    assert isinstance(whole, Finished)
    assert whole.summary["validation_accuracy"] is not None
    assert again == whole


def test_other_weights_than_the_run_began_with_are_refused(
    project: ProjectData, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(project, config())

    def exchanged(role: str):
        """The tiny towers, with other weights for one of the two."""

        def load(name: str, *_: object, **__: object):
            usual = tiny_studio.tiny_towers(name)
            return make_tiny_clip(usual.dim, seed=9, name=name) if name == tiny_studio.TINY[role] else usual

        return load

    monkeypatch.setattr(experiment, "load_towers", exchanged("student"))
    with pytest.raises(CheckpointError, match=r"weights of the student georsclip-vit-b-32 are not those that the run"):
        bench.run(project, config())
    monkeypatch.setattr("avion_core.protocols.evaluate.load_towers", exchanged("teacher"))
    with pytest.raises(CheckpointError, match=r"weights of the teacher georsclip-vit-h-14 are not those that the run"):
        evaluate(project, config(), bench.folder / "run", features=bench.features, weights=bench.weights)


def test_a_class_without_usable_text_stops_the_run_before_training(project: ProjectData, bench: Bench) -> None:
    rejected = project.descriptions.assign(verdict=["rejected"] * 4 + ["undecided"] * 8)
    emptied = replace(project, descriptions=rejected)
    with pytest.raises(PrototypeError, match=r"classes: beach. Accept or add"):
        bench.run(emptied, config())
    events = bench.run(emptied, config(**{"prototypes.template_fallback": True}), "fallback")
    assert isinstance(events[-1], Finished)


def test_a_seed_or_an_image_that_is_not_there(project: ProjectData, bench: Bench) -> None:
    with pytest.raises(ConfigError, match=r"no such seed: 9. Choose one of: 1, 2, 3"):
        bench.run(project, config(**{"data.seed": 9}))
    gone = replace(project, source=ImageFolder(Path(), {}))
    with pytest.raises(DataError, match=r"no longer in the project.*Scan the folder again"):
        bench.run(gone, config(), "gone")


def test_inputs_survive_saving(project: ProjectData, tmp_path: Path) -> None:
    project.save(tmp_path / "inputs")
    again = ProjectData.load(tmp_path / "inputs", project.source)
    pd.testing.assert_frame_equal(again.manifest, project.manifest)
    pd.testing.assert_frame_equal(again.descriptions, project.descriptions)
    assert (again.splits, again.recipe, again.class_names) == (project.splits, project.recipe, project.class_names)
    with pytest.raises(DataError, match="inputs are not there"):
        ProjectData.load(tmp_path / "nothing", project.source)


def test_the_student_predicts_trained_and_other_classes(project: ProjectData, bench: Bench) -> None:
    bench.run(project, config(**{"distillation.epochs": 10}))
    trained = load_student(config(), bench.folder / "run", bench.weights)
    files = sorted(project.images(project.manifest["image_id"].tolist()).files)[:4]
    table = predict(trained, files, project.recipe)
    assert list(table["path"]) == [str(path) for path in files]
    shares = table[[f"p_{key}" for key in NAMES]].sum(axis=1)
    assert shares.to_numpy() == pytest.approx([1.0] * 4)
    assert (table["margin"] >= 0).all()
    other = predict(trained, files, project.recipe, class_names={"sea": "sea", "desert": "desert"})
    assert set(other["predicted"]) <= {"sea", "desert"}
    with pytest.raises(DataError, match="no image to classify"):
        predict(trained, [], project.recipe)
    with pytest.raises(DataError, match="two or more classes"):
        predict(trained, files, project.recipe, class_names={"sea": "sea"})


def test_the_linear_probe_is_not_chosen_on_the_images_it_is_measured_on(
    project: ProjectData, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(project, config())
    seen: dict[str, set[int]] = {"validation": set(), "test": set()}
    for split, counts in seen.items():

        def spy(features, labels, validation, validation_labels, test, counts=counts):
            counts.add(len(validation))
            assert len(validation) == len(validation_labels)
            return linear_probe(features, labels, validation, validation_labels, test)

        monkeypatch.setattr("avion_core.protocols.evaluate.linear_probe", spy)
        folder = bench.folder / "run"
        evaluate(project, config(), folder, split, features=bench.features, weights=bench.weights)
    assert seen == {"validation": {0}, "test": {3}}  # one a class was held out


def test_baselines_on_features_that_can_be_checked_by_hand() -> None:
    features = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.1, 1.0]]), dim=1)
    labels = torch.tensor([0, 0, 1])
    means = class_mean(features, labels, ["a", "b"])
    torch.testing.assert_close(means[0], torch.tensor([1.0, 0.0]), atol=1e-6, rtol=0)
    with_text = class_mean(features, labels, ["a", "b"], torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
    torch.testing.assert_close(with_text[0], torch.tensor([0.5, 0.5]) * 2**0.5, atol=1e-6, rtol=0)
    guess = linear_probe(features, labels, features, labels, torch.tensor([[0.9, 0.0], [0.0, 0.9]]))
    assert guess.tolist() == [0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one_each = torch.eye(4)
        assert linear_probe(one_each, torch.arange(4), one_each[:0], labels[:0], one_each).tolist() == [0, 1, 2, 3]
    assert linear_probe(features[:1], labels[:1], features[:0], labels[:0], features).tolist() == [0, 0, 0]

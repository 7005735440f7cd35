"""One run on a tiny project, from settings to figures: artifacts, both protocols, stop and resume, refusals."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from avion_core.backbones.load import WeightStore
from avion_core.backbones.towers import resolve_precision
from avion_core.config import RunConfig
from avion_core.data.drawing import make_splits
from avion_core.data.project import ProjectData
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import scan_folder
from avion_core.data.sources import ImageFolder
from avion_core.distill import arithmetic
from avion_core.distill.teacher_side import TeacherSide
from avion_core.errors import CheckpointError, ConfigError, DataError, PrototypeError
from avion_core.experiment import Event, Finished, Metrics, Saved, Stage, Stopped, run_experiment
from avion_core.features.store import FeatureStore
from avion_core.methods import avion, step_trained
from avion_core.methods import bench as bench_module
from avion_core.methods.bench import Bench as MethodBench
from avion_core.methods.method import Task
from avion_core.metrics.harmonic import harmonic_mean
from avion_core.presets import make_config
from avion_core.protocols import find_protocol
from avion_core.protocols.harness import evaluate
from avion_core.protocols.predict import load_student, predict
from avion_core.protocols.report import Report
from tests import tiny_studio
from tests.tiny_clip import make_tiny_clip

NAMES = {"beach": "beach", "forest": "forest", "golfcourse": "golf course"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectData:
    return make_project(tmp_path_factory.mktemp("project"), NAMES)


@pytest.fixture(scope="module")
def four_classes(tmp_path_factory: pytest.TempPathFactory) -> ProjectData:
    return make_project(tmp_path_factory.mktemp("four"), NAMES | {"river": "river"})


def make_project(folder: Path, names: dict[str, str]) -> ProjectData:
    root = tiny_studio.make_images(folder / "scenes", per_class=10, classes=tuple(names))
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
        for key, name in names.items()
        for i, text in enumerate(tiny_studio.TEXTS)
    ]
    splits = make_splits(manifest, dataset="tiny")
    source = ImageFolder(root, paths)
    return ProjectData("tiny", source, manifest, splits, RenderingRecipe(), names, pd.DataFrame(rows))


class Bench:
    """Where a run's parts are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.features, self.weights = folder, FeatureStore(folder / "features"), WeightStore(folder / "w")
        self.parts = {"features": self.features, "weights": self.weights}

    def run(self, project: ProjectData, config: RunConfig, name: str = "run") -> list[Event]:
        return list(run_experiment(project, config, self.folder / name, **self.parts))

    def measure(self, project: ProjectData, config: RunConfig, split: str, name: str = "run") -> Report:
        return evaluate(project, config, self.folder / name, split, **self.parts)

    def task(self, project: ProjectData, config: RunConfig) -> Task:
        return Task(project, list(project.class_names), config, MethodBench(config, **self.parts))


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
    report = bench.measure(project, config(), "test")
    said = report.said("all")
    assert sorted(said["image_id"]) == sorted(project.splits.test)
    assert report.value("all", "accuracy") == pytest.approx(100 * said["correct"].mean())
    assert report.value("all", "accuracy", "class_mean", "student") == 100.0  # colours tell the classes apart


def test_a_run_ends_with_its_own_figures_on_validation(project: ProjectData, bench: Bench) -> None:
    finished = bench.run(project, config())[-1]
    assert isinstance(finished, Finished)
    report = finished.report
    assert report.value("all", "accuracy") == finished.summary["validation_accuracy"]
    assert set(report.figures["method"]) == {"avion"}
    assert len(report.predictions) == 3  # one a class is held out


def test_the_map_is_measured_on_images_that_it_was_not_fitted_to(project: ProjectData, bench: Bench) -> None:
    finished = bench.run(project, config())[-1]
    assert isinstance(finished, Finished)
    task = bench.task(project, config())
    student, teacher = (task.bench.towers(model) for model in ("student", "teacher"))
    held_out, trained_on = (
        task.projection.agreement(task.bench.see(teacher, project, ids), task.bench.see(student, project, ids))
        for ids in (task.validation.image_ids, task.shots.image_ids)
    )
    assert finished.summary["projection_agreement"] == pytest.approx(held_out)
    assert held_out < trained_on
    kept = TeacherSide.load(bench.folder / "run")
    assert kept.agreement == pytest.approx(held_out)
    without = replace(project, splits=replace(project.splits, validation={1: {}, 2: {}, 3: {}}))
    finished = bench.run(without, config(), "without")[-1]
    assert isinstance(finished, Finished)
    assert finished.summary["projection_agreement"] is None
    assert finished.summary["validation_accuracy"] is None


def test_base_to_novel_never_touches_novel_classes_in_training(four_classes: ProjectData, bench: Bench) -> None:
    project, settings = four_classes, config(**{"protocol.name": "base-to-novel"})
    parts = find_protocol("base-to-novel").parts(project, [], settings)
    everything = ["beach", "forest", "golfcourse", "river"]
    assert [(part.name, part.classes, part.trained) for part in parts] == [
        ("base", ["beach", "forest"], True),
        ("novel", ["golfcourse", "river"], False),
        ("base_among_all", everything, False),
        ("novel_among_all", everything, False),
    ]
    shown = [{part.classes[label] for label in part.images(settings, "test").labels} for part in parts]
    assert shown == [{"beach", "forest"}, {"golfcourse", "river"}] * 2
    seen, opened = [], []
    real, decoded = bench_module.image_features, bench_module.prepare_images

    def spy(towers, images, *rest, **more):
        seen.extend(path.parent.name for path in images.files)
        return real(towers, images, *rest, **more)

    def open_spy(towers, images, **more):
        opened.extend(path.parent.name for path in images.files)
        return decoded(towers, images, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_module, "image_features", spy)
        patch.setattr(bench_module, "prepare_images", open_spy)
        for event in run_experiment(project, settings, bench.folder / "run", **bench.parts):
            if event == Stage("measuring on the validation images"):
                break  # what was fitted is fitted
    assert set(seen) == set(opened) == {"beach", "forest"}
    table = pd.read_parquet(bench.folder / "run" / "prototypes.parquet")
    assert set(table["class_key"]) == {"beach", "forest"}
    report = bench.measure(project, settings, "test")
    base, novel = (report.value(part, "accuracy") for part in ("base", "novel"))
    assert base is not None
    assert novel is not None
    assert report.value("overall", "harmonic_mean") == pytest.approx(harmonic_mean(base, novel))
    assert report.value("overall", "harmonic_mean", "zero_shot", "teacher") is not None
    assert report.value("novel", "accuracy", "class_mean", "student") is None  # nothing labelled is to be had of them


def test_one_novel_class_is_refused(project: ProjectData, bench: Bench) -> None:
    with pytest.raises(ConfigError, match=r"needs two novel classes or more: 3 classes. Make four classes or more"):
        bench.run(project, config(**{"protocol.name": "base-to-novel"}))


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


def stopped(project: ProjectData, bench: Bench, settings: RunConfig, name: str, steps: int) -> list[Event]:
    """A run up to the stop after so many steps of its own."""
    asked = iter([False] * (steps - 1) + [True])
    parts = {"features": bench.features, "weights": bench.weights}
    return list(run_experiment(project, settings, bench.folder / name, should_stop=lambda: next(asked), **parts))


def seen_here(monkeypatch: pytest.MonkeyPatch, **other: object) -> None:
    """Let this process compute with something else, as far as it can tell."""
    real = arithmetic.arithmetic_here
    monkeypatch.setattr(arithmetic, "arithmetic_here", lambda *given: real(*given).model_copy(update=other))


def test_what_a_run_is_computed_with_is_recorded(project: ProjectData, bench: Bench) -> None:
    (found,) = bench.run(project, config(**{"distillation.precision": "auto"}))[-1].summary["arithmetic"]
    here = found["arithmetic"]
    assert found["after_step"] == 0
    assert (here["device"], here["torch"], here["threads"]) == ("cpu", torch.__version__, torch.get_num_threads())
    assert here["precision"] == resolve_precision("auto", "cpu")
    assert torch.backends.cpu.get_cpu_capability() in here["processor"]
    (found,) = bench.run(project, config(method="linear_probe"), "probe")[-1].summary["arithmetic"]
    assert found["arithmetic"] == here


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"processor": "Other, AVX2"}, "with another processor Other, AVX2 (was "),
        ({"device": "cuda", "processor": "H200, compute capability 9.0"}, "another device cuda (was cpu), processor"),
        ({"torch": "9.9"}, f"with another PyTorch 9.9 (was {torch.__version__}): from there on"),
        ({"threads": 64, "deterministic": True}, "64 (was "),
    ],
)  # fmt: skip
def test_a_resume_on_something_else_says_so_and_is_recorded(
    project: ProjectData, bench: Bench, monkeypatch: pytest.MonkeyPatch, other: dict, said: str
) -> None:
    settings = config()
    stopped(project, bench, settings, "run", 2)
    same = stopped(project, bench, settings, "run", 2)
    assert Stage("resuming after step 2") in same
    seen_here(monkeypatch, **other)
    events = bench.run(project, settings)
    (told,) = [event.message for event in events if isinstance(event, Stage) and "resuming" in event.message]
    assert told.startswith("resuming after step 4. After step 4 it is computed ")
    assert said in told
    first, second = events[-1].summary["arithmetic"]
    assert (first["after_step"], second["after_step"]) == (0, 4)
    assert first["arithmetic"] | other == second["arithmetic"]


@pytest.mark.parametrize("method", ["avion", "coop", "full_fine_tuning"])
def test_a_run_keeps_the_number_format_that_it_began_with(
    project: ProjectData, bench: Bench, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    short = {"options.epochs": 2} if method != "avion" else {"distillation.epochs": 2}
    settings = config(method=method, **short)
    module = avion if method == "avion" else step_trained
    began, elsewhere = ("float32", "bfloat16") if method != "coop" else ("bfloat16", "float32")
    monkeypatch.setattr(module, "resolve_precision", lambda *_: began)
    stopped(project, bench, settings, "run", 1)
    whole = bench.run(project, settings, "whole")[-1]
    monkeypatch.setattr(module, "resolve_precision", lambda *_: elsewhere)
    (found,) = bench.run(project, settings)[-1].summary["arithmetic"]
    assert [found] == whole.summary["arithmetic"]
    assert found["arithmetic"]["precision"] == began
    ended, unbroken = (load_file(bench.folder / name / "state.safetensors") for name in ("run", "whole"))
    assert all(torch.equal(ended[name], unbroken[name]) for name in unbroken)


def test_a_run_without_the_record_says_so_and_a_damaged_one_is_named(project: ProjectData, bench: Bench) -> None:
    settings = config()
    stopped(project, bench, settings, "run", 2)
    record = bench.folder / "run" / "arithmetic.json"
    for junk in ("[1]", '{"a": 1}', '[{"after_step": "x"}]', "{"):
        record.write_text(junk)
        with pytest.raises(DataError, match=r"(?i)the record of what the run is computed with .*arithmetic.json"):
            bench.run(project, settings)
    record.unlink()
    events = bench.run(project, settings)
    assert any("It is not known what steps 1 to 2 were computed with" in str(event) for event in events)
    first, second = events[-1].summary["arithmetic"]
    assert (first, second["after_step"]) == ({"after_step": 0, "arithmetic": None}, 2)


def test_a_resume_with_other_settings_is_refused(project: ProjectData, bench: Bench) -> None:
    bench.run(project, config())
    with pytest.raises(ConfigError, match=r"those the run started with: distillation. Resume with the same"):
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

    monkeypatch.setattr(bench_module, "load_towers", exchanged("student"))
    with pytest.raises(CheckpointError, match=r"weights of the student georsclip-vit-b-32 are not those that the run"):
        bench.run(project, config())
    monkeypatch.setattr(bench_module, "load_towers", exchanged("teacher"))
    with pytest.raises(CheckpointError, match=r"weights of the teacher georsclip-vit-h-14 are not those that the run"):
        bench.measure(project, config(), "validation")


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
    with pytest.raises(DataError, match="inputs no longer exist"):
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

"""Methods that are solved in closed form, on features that can be checked by hand and on a tiny project."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from avion_core.data.project import ProjectData
from avion_core.errors import CheckpointError
from avion_core.methods import METHODS, find_method
from avion_core.methods.bench import Model
from avion_core.methods.class_mean import ClassMean
from avion_core.methods.class_mean_text import ClassMeanText
from avion_core.methods.linear_probe import LinearProbe, fit_probe
from avion_core.methods.mapped_prototypes import MappedPrototypes
from avion_core.methods.method import Method, Task
from avion_core.methods.text_prototypes import TextPrototypes
from avion_core.methods.zero_shot import ZeroShot
from avion_core.presets import make_config
from avion_core.protocols.harness import methods_beside
from tests import tiny_studio
from tests.methods.tiny_task import NAMES, make_bench


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)


@pytest.fixture
def task(project: ProjectData, tmp_path: Path) -> Task:
    config = make_config(base=tiny_studio.DEFAULTS | tiny_studio.TINY)
    return Task(project, list(NAMES), config, make_bench(config, tmp_path))


def fitted(kind: type[Method], task: Task, model: str = "student") -> Method:
    method = kind(task.bench, {"model": model} if "model" in kind.Settings.model_fields else {})
    assert list(method.fit(task)) == []  # nothing to tell, and nowhere to save to
    return method


@pytest.mark.parametrize("model", ["student", "teacher"])
def test_logits_are_cosines_times_the_model_s_scale(task: Task, model: Model) -> None:
    towers = task.bench.towers(model)
    shots = task.bench.see(towers, task.project, task.shots.image_ids)
    images = task.validation.image_ids
    f, g = task.bench.see(towers, task.project, images), task.bench.read_classes(towers, task.project, task.classes)
    labels = torch.tensor(task.shots.labels)
    means = normalize(torch.stack([shots[labels == place].mean(0) for place in range(3)]), dim=1)
    expected = {ZeroShot: g, ClassMean: means, ClassMeanText: normalize(means + g, dim=1)}
    for kind, vectors in expected.items():
        method = fitted(kind, task, model)
        found = method.logits(task.project, images, task.classes)
        torch.testing.assert_close(found, towers.logit_scale * f @ vectors.T, atol=1e-3, rtol=1e-4)
        backwards = method.logits(task.project, images, task.classes[::-1])
        torch.testing.assert_close(backwards, found.flip(1))
        assert method.trained_parameters == 0


def test_zero_shot_tells_classes_apart_that_it_was_not_fitted_on(project: ProjectData, task: Task) -> None:
    some = Task(project, ["beach"], task.config, task.bench)
    logits = fitted(ZeroShot, some).logits(project, task.validation.image_ids, ["forest", "golfcourse"])
    assert logits.shape == (3, 2)


def test_text_prototypes_of_the_teacher_are_its_own_and_the_student_reads_the_same_texts(task: Task) -> None:
    own = fitted(TextPrototypes, task, "teacher")
    scale = task.bench.towers("teacher").logit_scale
    torch.testing.assert_close(own.weights / scale, task.prototypes.vectors, atol=1e-5, rtol=0)  # type: ignore[attr-defined]
    table = task.prototypes.table
    kept = table[table["kept"] & (table["class_key"] == "forest")]
    assert 0 < len(kept) <= 4
    student = task.bench.towers("student")
    g = task.bench.read(student, list(kept["text"]))
    mean = normalize((torch.tensor(kept["weight"].to_numpy())[:, None] * g.double()).sum(0), dim=0).float()
    theirs = fitted(TextPrototypes, task)
    torch.testing.assert_close(theirs.weights[1] / student.logit_scale, mean, atol=1e-5, rtol=0)  # type: ignore[attr-defined]


def test_mapped_prototypes_are_the_teacher_s_through_the_map(task: Task) -> None:
    method = fitted(MappedPrototypes, task)
    expected = task.projection(task.prototypes.vectors)
    scale = task.bench.towers("student").logit_scale
    torch.testing.assert_close(method.weights / scale, expected, atol=1e-5, rtol=0)  # type: ignore[attr-defined]


def test_ablations_without_texts_fit_the_same_map(project: ProjectData, tmp_path: Path) -> None:
    maps = []
    for preset in ("B1", "B2", "B5", "B7"):
        config = make_config(preset, {"data.shots": 2}, base=tiny_studio.TINY)
        maps.append(Task(project, list(NAMES), config, make_bench(config, tmp_path)).projection.matrix)
    assert all(torch.equal(maps[0], other) for other in maps[1:])
    paper = make_config("paper", {"data.shots": 2}, base=tiny_studio.TINY)
    other = Task(project, list(NAMES), paper, make_bench(paper, tmp_path)).projection.matrix
    assert not torch.equal(maps[0], other)


@pytest.mark.parametrize("name", [name for name in METHODS if not find_method(name).needs.backward])
def test_what_was_fitted_is_saved_and_read(name: str, task: Task, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "run"
    method = find_method(name)(task.bench)
    kept = Task(task.project, task.classes, task.config, task.bench, folder)
    assert [event.path for event in method.fit(kept)] == [folder / method.file]  # type: ignore[union-attr]
    again = find_method(name)(task.bench)
    again.load(folder)
    images = task.validation.image_ids
    expected = method.logits(task.project, images, task.classes)
    torch.testing.assert_close(again.logits(task.project, images, task.classes), expected)
    assert again.trained_parameters == method.trained_parameters
    monkeypatch.setattr(task.bench.towers("student"), "weights_hash", "exchanged")
    with pytest.raises(CheckpointError, match="on other weights than"):
        find_method(name)(task.bench).load(folder)


def test_the_linear_probe_is_not_chosen_on_the_images_it_is_measured_on(task: Task, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(
        "avion_core.methods.linear_probe.fit_probe",
        lambda features, labels, selection, chosen_on, classes: (
            seen.append((len(selection), len(chosen_on))) or fit_probe(features, labels, selection, chosen_on, classes)
        ),
    )
    for split in ("validation", "test"):
        fitted(LinearProbe, task.measured_on(split))
    assert seen == [(0, 0), (3, 3)]  # one a class was held out


def test_the_probe_s_penalty_is_the_likeliest_and_not_the_first_of_a_tie() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = normalize(torch.randn(4, 16, generator=generator), dim=1)
    labels = torch.arange(4).repeat(8)
    features = normalize(centres[labels] + 0.1 * torch.randn(32, 16, generator=generator), dim=1)
    held_out = normalize(centres + 0.1 * torch.randn(4, 16, generator=generator), dim=1)
    weights, bias = fit_probe(features, labels, held_out, torch.arange(4), 4)
    assert ((held_out @ weights.T + bias).argmax(1) == torch.arange(4)).all()  # as with every penalty: a tie
    chosen = (held_out @ weights.T + bias).log_softmax(1).diagonal().mean()
    weakest = fit_probe(features, labels, held_out[:0], labels[:0], 4)
    assert weights.norm() > weakest[0].norm()  # a tie would have gone to the strongest penalty
    assert chosen > (held_out @ weakest[0].T + weakest[1]).log_softmax(1).diagonal().mean()


def test_probes_with_few_images() -> None:
    features = normalize(torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.1, 1.0]]), dim=1)
    labels = torch.tensor([0, 0, 1])
    weights, bias = fit_probe(features, labels, features, labels, 2)
    assert (torch.tensor([[0.9, 0.0], [0.0, 0.9]]) @ weights.T + bias).argmax(1).tolist() == [0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one_each = torch.eye(4)
        weights, bias = fit_probe(one_each, torch.arange(4), one_each[:0], labels[:0], 5)
    logits = one_each @ weights.T + bias
    assert logits.argmax(1).tolist() == [0, 1, 2, 3]
    assert (logits.softmax(1)[:, 4] == 0).all()  # the fifth class has no image
    weights, bias = fit_probe(features[:1], labels[:1], features[:0], labels[:0], 2)
    assert (features @ weights.T + bias).argmax(1).tolist() == [0, 0, 0]


def test_what_stands_beside_a_run_is_everything_but_itself(task: Task) -> None:
    probe = find_method("linear_probe")(task.bench, {"model": "teacher"})
    beside = {(method.name, method.model) for method in methods_beside(probe)}
    assert ("linear_probe", "student") in beside
    assert not {("linear_probe", "teacher"), ("avion", "student"), ("mapped_prototypes", "teacher")} & beside

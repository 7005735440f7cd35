"""Tip-Adapter, the zero-shot ensemble and RS-TransCLIP against computations of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize, one_hot

from avion_core.data.project import ProjectData
from avion_core.methods import find_method
from avion_core.methods.method import Method, Task
from avion_core.methods.rs_transclip import RsTransclip, affinity, log_likelihood, refined
from avion_core.methods.templates import TEMPLATES
from avion_core.methods.tip_adapter import ALPHA, BETA, TipAdapter, strengths
from avion_core.methods.zero_shot import ZeroShot
from avion_core.methods.zero_shot_ensemble import ZeroShotEnsemble
from avion_core.presets import make_config
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


@pytest.fixture
def said(task: Task) -> Callable[..., torch.Tensor]:
    """Logits of a fitted method on the validation images."""

    def of(method: Method, classes: list[str] | None = None) -> torch.Tensor:
        assert list(method.fit(task)) == []
        return method.logits(task.project, task.validation.image_ids, classes or task.classes)

    return of


def crowd(count: int = 60, classes: int = 3, dim: int = 16, noise: float = 0.25) -> tuple[torch.Tensor, torch.Tensor]:
    """Features in as many bunches as there are classes, and which bunch each is of."""
    generator = torch.Generator().manual_seed(3)
    centres = normalize(torch.randn(classes, dim, generator=generator), dim=1)
    labels = torch.arange(count) % classes
    return normalize(centres[labels] + noise * torch.randn(count, dim, generator=generator), dim=1), labels


def test_the_ensemble_is_the_mean_of_the_templates(task: Task, said) -> None:
    student = task.bench.towers("student")
    assert len(set(TEMPLATES)) == 30
    assert all(template.count("{}") == 1 for template in TEMPLATES)
    g = torch.stack([student.encode_text([template.format(name) for name in NAMES.values()]) for template in TEMPLATES])
    f = task.bench.see(student, task.project, task.validation.image_ids)
    expected = student.logit_scale * f @ normalize(g.mean(0), dim=1).T
    torch.testing.assert_close(said(ZeroShotEnsemble(task.bench)), expected, atol=1e-3, rtol=1e-4)


def test_tip_adapter_without_its_cache_is_zero_shot(task: Task, said) -> None:
    method = TipAdapter(task.bench)
    said(method)
    method.strengths = torch.tensor([0.0, 5.5])
    found = method.logits(task.project, task.validation.image_ids, task.classes)
    torch.testing.assert_close(found, said(ZeroShot(task.bench)))


def test_tip_adapter_by_hand(task: Task, said) -> None:
    method = TipAdapter(task.bench)
    found = said(method)
    alpha, beta = method.strengths.tolist()
    student = task.bench.towers("student")
    f = task.bench.see(student, task.project, task.validation.image_ids)
    expected = said(ZeroShot(task.bench)).clone()
    for place, image in enumerate(f):
        for key, label in zip(method.keys, task.shots.labels, strict=True):
            expected[place, label] += alpha * torch.exp(-beta * (1 - image @ key))
    torch.testing.assert_close(found, expected)
    # A class without a cached image is told by its sentence alone.
    some = Task(task.project, ["beach"], task.config, task.bench)
    assert list(method.fit(some)) == []
    both = method.logits(task.project, task.validation.image_ids, ["forest", "beach"])
    torch.testing.assert_close(both[:, 0], said(ZeroShot(task.bench), ["forest"])[:, 0])


def test_tip_adapter_chooses_on_selection_images_alone(task: Task) -> None:
    chosen = []
    for split in ("validation", "test"):
        method = TipAdapter(task.bench)
        assert list(method.fit(task.measured_on(split))) == []
        chosen.append(tuple(round(one, 6) for one in method.strengths.tolist()))
    assert chosen[0] == (ALPHA, BETA)  # it is measured on validation images: none may choose
    assert chosen[1] != (ALPHA, BETA)


def test_strengths_are_the_best_of_the_grid() -> None:
    features, labels = crowd(noise=0.8)
    keys, values = features[:12], one_hot(labels[:12], 3).float()
    held_out, truth = features[30:], labels[30:]
    zero_shot = torch.randn(len(held_out), 3, generator=torch.Generator().manual_seed(0))
    alpha, beta = strengths(zero_shot, held_out @ keys.T, values, truth)

    def logits(alpha: float, beta: float) -> torch.Tensor:
        return zero_shot + alpha * torch.exp(-beta * (1 - held_out @ keys.T)) @ values

    found = [
        ((logits(a, b).argmax(1) == truth).sum().item(), -cross_entropy(logits(a, b), truth).item())
        for a in [0.1 + 2.9 * place / 20 for place in range(20)]
        for b in [0.1 + 6.9 * place / 200 for place in range(200)]
    ]
    best = ((logits(alpha, beta).argmax(1) == truth).sum().item(), -cross_entropy(logits(alpha, beta), truth).item())
    assert best == pytest.approx(max(found))
    assert strengths(zero_shot[:0], held_out[:0] @ keys.T, values, truth[:0]) == (ALPHA, BETA)


def test_rs_transclip_without_others_is_zero_shot(task: Task, said) -> None:
    inductive = said(ZeroShotEnsemble(task.bench)).log_softmax(1)
    alone = said(RsTransclip(task.bench, {"neighbours": 0, "gaussians": 0}))
    torch.testing.assert_close(alone, inductive)
    method = RsTransclip(task.bench)
    together = said(method)
    assert not torch.allclose(together, inductive, atol=1e-3)
    for place, image in enumerate(task.validation.image_ids):  # a single image has none to learn from
        single = method.logits(task.project, [image], task.classes)
        torch.testing.assert_close(single[0], inductive[place], atol=1e-5, rtol=1e-5)


def test_rs_transclip_says_that_it_is_transductive() -> None:
    assert RsTransclip.row_title("student") == "Student, RS-TransCLIP (transductive)"
    assert RsTransclip.beside == ()  # it stands in no table that did not ask for it
    assert not find_method("zero_shot_ensemble").transductive


def test_bunches_correct_unsure_answers() -> None:
    features, labels = crowd(dim=128, noise=0.05)
    unsure = one_hot(labels, 3).float()
    unsure[::10] = one_hot((labels[::10] + 1) % 3, 3).float()  # one in ten is wrong
    before = unsure.log_softmax(1)
    after = refined(features, before, neighbours=3, gaussians=0.02, iterations=10)
    assert (before.argmax(1) == labels).double().mean() == 0.9
    assert (after.argmax(1) == labels).all()
    torch.testing.assert_close(after.exp().sum(1), torch.ones(60))
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    again = refined(features[order], before[order], neighbours=3, gaussians=0.02, iterations=10)
    torch.testing.assert_close(again, after[order], atol=1e-3, rtol=1e-3)


def test_one_update_of_rs_transclip_by_hand() -> None:
    features, labels = crowd(count=8, classes=2)
    before = one_hot(labels, 2).float().log_softmax(1)
    found = refined(features, before, neighbours=2, gaussians=0.02, iterations=0)
    z = before.exp()
    means = normalize(torch.stack([(z[:, c, None] * features).sum(0) for c in range(2)]), dim=1)
    log_p = torch.stack([-0.5 * ((features - means[c]) ** 2 * 16).sum(1) for c in range(2)], dim=1)
    cosines = features @ features.T - 9 * torch.eye(8)
    near = torch.zeros(8, 8)
    for place in range(8):
        for other in cosines[place].topk(2).indices:
            near[place, other] = cosines[place, other]
    torch.testing.assert_close(affinity(features, 2).to_dense(), near)
    torch.testing.assert_close(log_likelihood(features, means, torch.full((16,), 1 / 16)), log_p)
    for _ in range(5):
        z = (before + 0.02 * log_p + (near + near.T) @ z / 4).softmax(1)
    torch.testing.assert_close(found.exp(), z, atol=1e-5, rtol=1e-4)

"""Each loss against a hand-written one."""

from __future__ import annotations

import math

import pytest
import torch

from avion_core.distill.losses import cosine_alignment, relational_alignment, similarity_alignment, warmup_weight


def test_cosine_alignment_is_one_minus_the_mean_cosine() -> None:
    student = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    target = torch.tensor([[0.0, 2.0], [3.0, 4.0]])
    assert cosine_alignment(student, target).item() == pytest.approx((1.0 + 0.0) / 2)


def test_similarity_alignment_is_tau_squared_kl_by_batch_mean() -> None:
    student = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.0, 1.0]])
    teacher = torch.tensor([[1.0, 0.0, 0.5], [2.0, -2.0, 0.0]])
    tau, expected = 2.0, 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        p = [math.exp(v / tau) for v in t]
        q = [math.exp(v / tau) for v in s]
        p, q = [v / sum(p) for v in p], [v / sum(q) for v in q]
        expected += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) * tau**2 / 2
    assert similarity_alignment(student, teacher, tau).item() == pytest.approx(expected, rel=1e-5)
    assert similarity_alignment(teacher, teacher, tau).item() == pytest.approx(0.0, abs=1e-6)


def test_relational_alignment_counts_relations_across_dimensions() -> None:
    student = torch.eye(3)[:, :2]
    teacher = torch.eye(3)
    teacher[1] = torch.tensor([0.6, 0.8, 0.0])
    # Off the diagonal, student similarities are 0; teacher rows 0 and 1 have 0.6.
    assert relational_alignment(student, teacher).item() == pytest.approx(2 * 0.36 / 6)
    assert relational_alignment(student[:1], teacher[:1]).item() == 0.0


def test_warmup_rises_from_nothing_to_one_over_its_share() -> None:
    assert [warmup_weight(step, 10, 0.4) for step in range(6)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert warmup_weight(0, 10, 0.0) == 1.0

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize, pdist

from avion_core.errors import DataError
from avion_core.metrics.alignment import alignment, modality_gap, uniformity


def points(count: int, dim: int = 5, seed: int = 0) -> Tensor:
    return normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


def test_alignment() -> None:
    images, texts = points(20), points(20, seed=1)
    expected = sum(math.dist(x, y) ** 2 for x, y in zip(images.tolist(), texts.tolist(), strict=True)) / 20
    assert alignment(images, texts) == pytest.approx(expected)
    assert alignment(images, images) == 0.0
    assert alignment(images, -images) == pytest.approx(4.0)


@pytest.mark.parametrize("count", [2, 3, 50, 70])
def test_uniformity_is_that_of_all_pairs_whatever_the_block(count: int) -> None:
    drawn = points(count)
    expected = (-2 * pdist(drawn).square()).exp().mean().log().item()
    assert uniformity(drawn) == pytest.approx(expected)
    assert uniformity(drawn, block=16) == pytest.approx(expected)


def test_uniformity_of_one_spot_and_of_two_poles() -> None:
    spot = points(1).repeat(7, 1)
    assert uniformity(spot) == pytest.approx(0.0, abs=1e-9)
    assert uniformity(torch.cat([points(1), -points(1)])) == pytest.approx(-8.0)


def test_modality_gap() -> None:
    images, texts = torch.eye(3)[[0, 0]], torch.eye(3)[[1, 1, 1]]
    assert modality_gap(images, texts) == pytest.approx(math.sqrt(2))
    assert modality_gap(images, images) == 0.0
    assert modality_gap(points(9), points(9).flip(0)) == pytest.approx(0.0, abs=1e-12)


def test_too_little_is_refused() -> None:
    with pytest.raises(DataError, match=r"do not pair up: \(2, 5\) and \(3, 5\)\. Give one text"):
        alignment(points(2), points(3))
    with pytest.raises(DataError, match=r"Uniformity needs two points or more: 1\. Give more"):
        uniformity(points(1))
    with pytest.raises(DataError, match=r"One of the two clouds is empty\. Give at least one"):
        modality_gap(points(2), points(2)[:0])

"""Intervals by resampling, against images that are really drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from avion_core.metrics import bootstrap
from avion_core.metrics.accuracy import confusion, macro_accuracy, macro_f1
from avion_core.metrics.bootstrap import macro_intervals

FIGURES = {"macro_accuracy": macro_accuracy, "macro_f1": macro_f1}


def answers(images: int, classes: int, right: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What was said and what is true of images in classes of uneven size, a share of them right."""
    draw = np.random.default_rng(seed)
    labels = draw.choice(classes, images, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    said = np.where(draw.random(images) < right, labels, draw.integers(classes, size=images))
    return torch.from_numpy(said), torch.from_numpy(labels)


@pytest.mark.parametrize(("images", "classes", "right"), [(300, 5, 0.7), (120, 21, 0.5), (400, 3, 0.9)])
def test_cells_drawn_are_images_drawn(images: int, classes: int, right: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both distributions are the same: with 8,000 draws each, their tails lie within their own error."""
    monkeypatch.setattr(bootstrap, "DRAWS", 8000)
    said, labels = answers(images, classes, right, seed=1)
    found = macro_intervals(confusion(said, labels, classes))
    draw = np.random.default_rng(2)
    matrices = [
        confusion(said[chosen], labels[chosen], classes)
        for chosen in (torch.from_numpy(draw.integers(images, size=images)) for _ in range(8000))
    ]
    for name, figure in FIGURES.items():
        values = np.array([figure(matrix) for matrix in matrices])
        expected = np.percentile(values, [2.5, 97.5])
        # The standard error of such a percentile of 8,000 values is about 0.03 of their deviation.
        np.testing.assert_allclose(found[name], expected, atol=0.15 * values.std())


def test_the_same_interval_whatever_is_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = confusion(*answers(200, 7, 0.6, seed=3), 7)
    whole = macro_intervals(matrix)
    monkeypatch.setattr(bootstrap, "_CELLS", 1000)
    assert macro_intervals(matrix) == whole
    assert macro_intervals(matrix, seed=1) != whole


def test_edges() -> None:
    assert macro_intervals(torch.diag(torch.tensor([4, 0, 9]))) == dict.fromkeys(FIGURES, (100.0, 100.0))
    assert all(math.isnan(end) for ends in macro_intervals(torch.zeros(3, 3).long()).values() for end in ends)
    low, high = macro_intervals(torch.tensor([[0, 5], [5, 0]]))["macro_accuracy"]
    assert low == high == 0.0

"""Means of image features, and how well prototypes classify."""

from __future__ import annotations

import pytest
import torch

from avion_core.errors import PrototypeError
from avion_core.prototypes.text_prototypes import (
    prototype_accuracy,
    visual_prototypes,
)


def test_visual_prototypes_are_means_of_unit_features() -> None:
    features = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 5.0], [3.0, 0.0]])
    found = visual_prototypes(features, torch.tensor([0, 0, 1, 2]), ["a", "b", "c"])
    torch.testing.assert_close(found, torch.tensor([[0.5**0.5, 0.5**0.5], [0.0, 1.0], [1.0, 0.0]]))


def test_visual_prototypes_refuse_what_they_cannot_average() -> None:
    with pytest.raises(PrototypeError, match=r"no labelled training image: b, c\. Label an image of each"):
        visual_prototypes(torch.eye(2), torch.tensor([0, 0]), ["a", "b", "c"])
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [float("nan"), 1.0]])
    with pytest.raises(PrototypeError, match=r"are not numbers or cancel out: a, b\. Compute"):
        visual_prototypes(opposite, torch.tensor([0, 0, 1]), ["a", "b"])


def test_prototype_accuracy() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    features = torch.tensor([[0.9, 0.1], [0.1, 0.9], [-0.9, -0.2], [-0.2, -0.9]])
    assert prototype_accuracy(vectors, features, torch.tensor([0, 1, 1, 1])) == 75.0
    with pytest.raises(PrototypeError, match="There is no image to measure on"):
        prototype_accuracy(vectors, features[:0], torch.tensor([]))

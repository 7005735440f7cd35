"""Neighbours told by features: what is alike is in one set, whatever the order of images."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from avion_core.features import likeness
from avion_core.features.likeness import IN_A_SET, alike


def scenes(count: int, tiles: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (count * tiles, 64): some tiles of each of some scenes."""
    centres = rng.standard_normal((count, 64))
    points = (centres[:, None] + 0.3 * rng.standard_normal((count, tiles, 64))).reshape(-1, 64)
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("exact", [4000, 10])
def test_tiles_of_a_scene_are_one_set(monkeypatch, exact):
    monkeypatch.setattr(likeness, "_EXACT", exact)
    features = scenes(6, IN_A_SET, np.random.default_rng(0))
    names = [f"{number:03d}" for number in range(len(features))]
    found = alike(features, ["forest"] * len(names), [""] * len(names), names)
    assert found == [f"like {number // IN_A_SET * IN_A_SET:03d}" for number in range(len(names))]


def test_classes_and_sides_of_a_split_are_apart():
    features = np.repeat(scenes(1, 4, np.random.default_rng(1)), 4, axis=0)
    names = [f"{number:02d}" for number in range(16)]
    found = alike(features, ["a", "b"] * 8, ["", "", "test", "test"] * 4, names)
    assert len(set(found)) == 8  # two sets at least of each class on each side
    assert all(len({(place % 2, place // 2 % 2) for place in range(16) if found[place] == name}) == 1 for name in found)


def test_the_order_of_images_changes_nothing():
    rng = np.random.default_rng(2)
    features = scenes(9, 7, rng)
    names = [f"{rng.integers(10**9):09d}" for _ in features]
    labels = ["a" if number % 3 else "" for number in range(len(names))]
    found = dict(zip(names, alike(features, labels, [""] * len(names), names), strict=True))
    order = rng.permutation(len(names))
    again = alike(
        features[order], [labels[place] for place in order], [""] * len(names), [names[place] for place in order]
    )
    assert dict(zip([names[place] for place in order], again, strict=True)) == found


def test_unlabelled_images_go_with_the_nearest_labelled_one():
    features = scenes(3, 8, np.random.default_rng(3))
    names = [f"{number:02d}" for number in range(24)]
    labels = ["" if number % 4 == 3 else "a" for number in range(24)]
    found = alike(features, labels, [""] * 24, names)
    for number in range(3, 24, 4):
        assert found[number] in set(found[number // 8 * 8 : number])


def test_without_any_label_all_are_one_class():
    features = scenes(4, IN_A_SET, np.random.default_rng(4))
    found = alike(features, [""] * 32, [""] * 32, [f"{number:02d}" for number in range(32)])
    assert sorted(Counter(found).values()) == [IN_A_SET] * 4


@pytest.mark.parametrize(("count", "sets"), [(1, 1), (2, 2), (3, 2), (16, 2), (25, 3)])
def test_few_images(count, sets):
    features = scenes(count, 1, np.random.default_rng(5))
    found = alike(features, ["a"] * count, [""] * count, [f"{number:02d}" for number in range(count)])
    assert len(set(found)) == sets

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from avion_core.maps.neighbours import nearest, trust


def unit(count: int, dim: int = 6, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "correlation"])
def test_exact_neighbours_are_those_of_scikit_learn(metric, monkeypatch):
    monkeypatch.setattr("avion_core.maps.neighbours._BLOCK", 16)
    points, told = unit(70), []
    indices, distances = nearest(points, 5, metric, lambda *call: told.append(call))
    theirs = NearestNeighbors(n_neighbors=5, metric=metric, algorithm="brute").fit(points).kneighbors()
    assert (indices[:, 0] == np.arange(70)).all()
    assert np.array_equal(indices[:, 1:], theirs[1][:, :4])
    np.testing.assert_allclose(distances[:, 1:], theirs[0][:, :4], atol=2e-3 if metric == "euclidean" else 1e-6)
    assert told[-1] == (70, 70, "neighbours")
    assert len(told) == 5


def test_each_point_is_its_own_nearest_among_equals():
    indices, distances = nearest(np.repeat(unit(1), 6, axis=0), 3, "cosine")
    assert (indices[:, 0] == np.arange(6)).all()
    assert (distances < 1e-6).all()


def test_trust_is_one_for_a_layout_that_keeps_neighbours_and_half_for_a_random_one():
    angle = np.linspace(0, 1, 200)
    points = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    assert trust(points, np.stack([angle, 0 * angle], 1)) == (pytest.approx(1.0, abs=1e-3), 200)
    shuffled, _ = trust(points, np.random.default_rng(0).normal(size=(200, 2)))
    assert 0.4 < shuffled < 0.6


def test_trust_of_many_points_is_measured_on_a_stated_draw(monkeypatch):
    points, layout = unit(120), unit(120, 2, seed=1)
    whole, _ = trust(points, layout)
    assert whole == pytest.approx(trustworthiness(points, layout, n_neighbors=15, metric="cosine"))
    monkeypatch.setattr("avion_core.maps.neighbours.MOST_TRUST_POINTS", 100)
    drawn, of = trust(points, layout)
    assert of == 100
    assert drawn == pytest.approx(whole, abs=0.1)
    assert trust(points, layout, seed=1) != trust(points, layout)


def test_trust_of_too_few_points_is_not_invented():
    figure, of = trust(unit(4), unit(4, 2))
    assert np.isnan(figure)
    assert of == 4

from __future__ import annotations

import numpy as np
import pytest

from avion_core.errors import ConfigError, DataError
from avion_core.maps.project import neighbours_within, project

# umap-learn compiles itself on first use: half a minute of processor time, many minutes of a crowded machine's.
pytestmark = pytest.mark.timeout(1200)


def clusters(count: int, *, groups: int = 3, dim: int = 16, spread: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """(count, dim) points in `groups` directions, and the group of each."""
    draw = np.random.default_rng(0)
    group = np.arange(count) % groups
    return np.eye(groups, dim)[group] + spread * draw.normal(size=(count, dim)), group


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_neighbours_stay_neighbours_and_the_seed_makes_the_picture(method):
    points, group = clusters(90)
    places = project(points, method, seed=3)
    assert places.shape == (90, 2)
    assert places.dtype == np.float32
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(1)] == group).all()
    assert np.array_equal(places, project(points, method, seed=3))


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_only_directions_count(method):
    """Cosine: lengths change nothing (powers of two, so that not even a rounding differs)."""
    points, _ = clusters(30)
    lengths = 2.0 ** np.random.default_rng(1).integers(-3, 4, size=(30, 1))
    assert np.array_equal(project(points, method), project(points * lengths, method))


@pytest.mark.parametrize("method", ["umap", "tsne"])
@pytest.mark.parametrize("count", [5, 6, 11])
def test_few_points_are_placed_without_a_warning(method, count, recwarn):
    places = project(clusters(count)[0], method)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count
    assert not [str(warning.message) for warning in recwarn if "neighbo" in str(warning.message)]


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_points_in_two_places_are_laid_out(method):
    """Equal points, and all of them on one line: the start must not hold them there."""
    places = project(np.eye(2)[np.arange(12) % 2], method)
    assert np.isfinite(places).all()
    assert (np.ptp(places, axis=0) > 0).all()


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_points_that_all_fall_together_share_a_place(method):
    assert np.array_equal(project(np.ones((8, 4)), method), np.zeros((8, 2)))


@pytest.mark.parametrize(
    ("count", "method", "asked", "used"),
    [
        (1000, "umap", None, 15),
        (1000, "tsne", None, 30),
        (10, "umap", None, 9),
        (10, "tsne", None, 3),
        (91, "tsne", 30, 30),
        (90, "tsne", 30, 29),
        (50, "umap", 5, 5),
    ],
)
def test_neighbours_are_lowered_to_what_the_points_support(count, method, asked, used):
    assert neighbours_within(count, method, asked) == used


def test_tsne_counts_its_steps_to_the_end():
    calls = []
    project(clusters(12)[0], "tsne", progress=lambda *call: calls.append(call))
    assert calls[0] == (0, 750, "t-SNE")
    assert calls[-1] == (750, 750, "t-SNE")
    done = [call[0] for call in calls]
    assert done == sorted(done)


def test_umap_reports_start_and_end():
    calls = []
    project(clusters(12)[0], "umap", progress=lambda *call: calls.append(call))
    assert calls == [(0, 1, "UMAP"), (1, 1, "UMAP")]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_numbers_are_refused(bad):
    points, _ = clusters(10)
    points[4, 2] = bad
    with pytest.raises(DataError, match=r"not numbers: 1 of 10\. Compute these features again\."):
        project(points)


def test_points_of_length_zero_are_refused():
    points, _ = clusters(10)
    points[[2, 7]] = 0
    with pytest.raises(DataError, match=r"no direction: 2 of 10\. Leave these points out\."):
        project(points)


def test_too_few_points_are_refused():
    with pytest.raises(DataError, match=r"too few points for a map: 4\. Choose views with 5 points or more\."):
        project(np.eye(4))


def test_one_column_is_refused():
    with pytest.raises(DataError, match=r"table of 2 or more columns: \(9, 1\)\. Give an \(N, D\) array\."):
        project(np.ones((9, 1)))


def test_an_unknown_method_is_refused():
    with pytest.raises(ConfigError, match=r"no such kind of map: pca\. Choose umap or tsne\."):
        project(np.eye(9), "pca")


def test_a_single_neighbour_is_refused():
    with pytest.raises(ConfigError, match=r"more neighbours: 1\. Ask for 2 or more\."):
        project(np.eye(9), "umap", neighbours=1)

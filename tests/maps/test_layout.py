from __future__ import annotations

import numpy as np
import pytest

from avion_core.errors import DataError
from avion_core.maps.layout import neighbours_within, project
from avion_core.maps.settings import map_settings

# umap-learn compiles itself on first use: half a minute of processor time, many minutes of a crowded machine's.
pytestmark = pytest.mark.timeout(1200)


def clusters(count: int, *, groups: int = 3, dim: int = 16, spread: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """(count, dim) points in `groups` directions, and the group of each."""
    draw = np.random.default_rng(0)
    group = np.arange(count) % groups
    return np.eye(groups, dim)[group] + spread * draw.normal(size=(count, dim)), group


@pytest.mark.parametrize("method", [pytest.param("umap", marks=pytest.mark.long), "tsne"])
def test_neighbours_stay_neighbours_and_the_seed_makes_the_picture(method):
    points, group = clusters(90)
    settings = map_settings(method=method, seed=3)
    places = project(points, settings)
    assert places.shape == (90, 2)
    assert places.dtype == np.float32
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(1)] == group).all()
    assert np.array_equal(places, project(points, settings))


@pytest.mark.parametrize("method", [pytest.param("umap", marks=pytest.mark.long), "tsne"])
def test_only_directions_count(method):
    """Cosine: lengths change nothing (powers of two, so that not even a rounding differs)."""
    points, _ = clusters(30)
    lengths = 2.0 ** np.random.default_rng(1).integers(-3, 4, size=(30, 1))
    settings = map_settings(method=method)
    assert np.array_equal(project(points, settings), project(points * lengths, settings))


@pytest.mark.parametrize("method", ["umap", "tsne"])
@pytest.mark.parametrize("count", [5, 6, 11])
def test_few_points_are_placed_without_a_warning(method, count, recwarn):
    places = project(clusters(count)[0], map_settings(method=method))
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count
    assert not [str(warning.message) for warning in recwarn if "umap" in str(warning.filename)]


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_points_in_two_places_are_laid_out(method):
    """Equal points, and all of them on one line: the start must not hold them there."""
    places = project(np.eye(2)[np.arange(12) % 2], map_settings(method=method))
    assert np.isfinite(places).all()
    assert (np.ptp(places, axis=0) > 0).all()


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_points_that_all_fall_together_share_a_place(method):
    assert np.array_equal(project(np.ones((8, 4)), map_settings(method=method)), np.zeros((8, 2)))


@pytest.mark.parametrize(
    ("count", "method", "asked", "used"),
    [
        (1000, "umap", 15, 15),
        (10, "umap", 15, 9),
        (10, "tsne", 30, 3),
        (91, "tsne", 30, 30),
        (90, "tsne", 30, 29),
        (50, "umap", 5, 5),
    ],
)
def test_neighbours_are_lowered_to_what_the_points_support(count, method, asked, used):
    assert neighbours_within(count, method, asked) == used


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "correlation"])
@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_every_metric_keeps_groups_together(method, metric):
    """An offset common to all coordinates is most of the cosine and nothing to a correlation."""
    points, group = clusters(60)
    places = project(points + (5 if metric == "correlation" else 0), map_settings(method=method, metric=metric))
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(1)] == group).all()


def test_min_dist_keeps_points_apart():
    points, _ = clusters(90)

    def gap(min_dist: float) -> float:
        places = project(points, map_settings(min_dist=min_dist))
        distances = np.linalg.norm(places[:, None] - places[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        return float(np.median(distances.min(1)))

    assert gap(0.9) > 2 * gap(0.0)


@pytest.mark.slow  # compiles the search: half a minute
def test_neighbours_found_approximately_above_a_number(monkeypatch):
    """The same groups either way; and the progress says that it searches."""
    points, group = clusters(120)
    monkeypatch.setattr("avion_core.maps.layout.MOST_EXACT_POINTS", 100)
    calls = []
    places = project(points, map_settings(), progress=lambda *call: calls.append(call))
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(1)] == group).all()
    assert "searching neighbours, a minute or more" in calls[0][2]


@pytest.mark.parametrize(("method", "name", "steps"), [("umap", "UMAP", 500), ("tsne", "t-SNE", 750)])
def test_steps_are_counted_to_the_end(method, name, steps):
    calls = []
    project(clusters(12)[0], map_settings(method=method), progress=lambda *call: calls.append(call))
    counted = [call[:2] for call in calls if call[2] == name]
    assert counted[-1] == (steps, steps)
    assert counted == sorted(counted)
    if method == "umap":
        assert calls[0] == (12, 12, "neighbours")
        assert calls[1] == (0, 0, "compiling UMAP, about 15 s")


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_a_caller_can_stop_it(method):
    class Enough(Exception):
        pass

    def progress(done: int, _total: int, what: str) -> None:
        if done and what in ("UMAP", "t-SNE"):
            raise Enough

    with pytest.raises(Enough):
        project(clusters(12)[0], map_settings(method=method), progress=progress)


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
    with pytest.raises(DataError, match=r"too few points for a map: 4\. Choose 5 items or more\."):
        project(np.eye(4))


def test_one_column_is_refused():
    with pytest.raises(DataError, match=r"table of 2 or more columns: \(9, 1\)\. Give an \(N, D\) array\."):
        project(np.ones((9, 1)))

"""Lay out embeddings on a plane: UMAP or t-SNE, the same picture for the same points and seed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

import numpy as np

from avion_core.errors import DataError
from avion_core.maps.neighbours import compared, nearest
from avion_core.maps.settings import MapSettings, Method
from avion_core.progress import Progress

FEWEST_POINTS = 5
MOST_EXACT_POINTS = 30_000
"""Up to here neighbours are found exactly, which is faster than compiling a search for them; above, approximately."""

_EXAGGERATED_STEPS, _PLAIN_STEPS = 250, 500  # openTSNE's own defaults, named here for the progress
_REPORT_EVERY = 10


def project(points: np.ndarray, settings: MapSettings | None = None, *, progress: Progress | None = None) -> np.ndarray:
    """Place N points of D dimensions on a plane so that neighbours stay neighbours.

    Both methods start from the first two principal components of the normalized points and run on one thread, so that
    points in the same order with the same seed give the same picture. Every point is placed; none is sampled away.

    Args:
        points: (N, D) embeddings, any length but zero; N >= 5, D >= 2.
        settings: method, neighbours, min_dist, metric and seed. Neighbours that N points cannot support are lowered:
            `neighbours_within` says to what.
        progress: called with steps done of all steps. It may raise to stop the work.

    Returns:
        (N, 2) float32. Directions and distances between far groups mean nothing; neighbourhoods do.

    Raises:
        DataError: too few points, a value that is not a number, a point of length zero.
    """
    settings = settings or MapSettings()
    neighbours = neighbours_within(len(points), settings.method, settings.neighbourhood)
    points = unit_rows(points)
    if np.ptp(points, axis=0).max() == 0:
        return np.zeros((len(points), 2), np.float32)  # one place for all: neither method is defined on it
    report = progress or _silent
    start = _principal_plane(points, settings.seed)
    place = _umap if settings.method == "umap" else _tsne
    return np.ascontiguousarray(place(points, start, neighbours, settings, report), np.float32)


def neighbours_within(count: int, method: Method, wanted: int) -> int:
    """The neighbourhood that `count` points support: at most N - 1 for UMAP, (N - 1) / 3 for t-SNE's perplexity.

    Raises:
        DataError: fewer than 5 points.
    """
    if count < FEWEST_POINTS:
        raise DataError("there are too few points for a map", f"Choose {FEWEST_POINTS} items or more.", value=count)
    most = count - 1 if method == "umap" else max(1, (count - 1) // 3)
    return min(wanted, most)


def unit_rows(points: np.ndarray) -> np.ndarray:
    """(N, D) float32 rows of length 1; DataError for a value that is not a number and for a row of length zero."""
    points = np.ascontiguousarray(points, np.float32)
    if points.ndim != 2 or points.shape[1] < 2:
        raise DataError("points must be a table of 2 or more columns", "Give an (N, D) array.", value=points.shape)
    if bad := int((~np.isfinite(points).all(1)).sum()):
        raise DataError(
            "embeddings hold values that are not numbers",
            "Compute these features again.",
            value=f"{bad} of {len(points)}",
        )
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    if bad := int((lengths == 0).sum()):
        raise DataError(
            "embeddings of length zero have no direction", "Leave these points out.", value=f"{bad} of {len(points)}"
        )
    return points / lengths


def _principal_plane(points: np.ndarray, seed: int) -> np.ndarray:
    """(N, 2), the start for both methods. A spectral start fails where images and texts share no neighbour."""
    centred = points.astype(np.float64) - points.mean(0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    plane = directions[:, :-3:-1]
    # An eigenvector's sign is arbitrary: its largest entry is made positive.
    plane *= np.sign(plane[np.abs(plane).argmax(0), np.arange(2)])
    start = centred @ plane
    # Off the line and off each other: equal points would move as one, and points on a line could never leave it.
    return start + 1e-4 * start.std() * np.random.default_rng(seed).normal(size=start.shape)


class _Bar:
    """Where tqdm, which umap-learn counts its steps with, writes its bar: the numbers go to the report instead."""

    def __init__(self, count: Callable[[int, int], None]) -> None:
        self._count = count

    def write(self, text: str) -> None:
        if found := re.search(r"(\d+)/(\d+)", text):
            self._count(int(found[1]), int(found[2]))

    def flush(self) -> None:
        """tqdm asks for it; nothing is held back."""


def _umap(
    points: np.ndarray, start: np.ndarray, neighbours: int, settings: MapSettings, report: Progress
) -> np.ndarray:
    compiling = "compiling UMAP, about 15 s"
    known = (None, None, None)
    if len(points) <= MOST_EXACT_POINTS:
        known = (*nearest(points, neighbours, settings.metric, report), None)
    else:
        compiling = "compiling UMAP and searching neighbours, a minute or more"
    report(0, 0, compiling)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # that Tensorflow, which nothing here needs, is not installed
        from umap import UMAP  # takes seconds to import; only a map should wait for it

        # New points are never added to a map, so that no search index is needed.
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")
        method = UMAP(
            n_neighbors=neighbours,
            min_dist=settings.min_dist,
            metric=settings.metric,
            init=start,  # pyright: ignore[reportArgumentType] (it takes an array as well)
            precomputed_knn=known,
            random_state=settings.seed,
            n_jobs=1,  # a seed implies one thread; saying so keeps umap-learn from warning about it
            tqdm_kwds={
                "disable": False,
                "file": _Bar(lambda done, total: report(done, total, "UMAP" if done else compiling)),
                "bar_format": "{n}/{total}",
                "mininterval": 0.5,
            },
        )
        return np.asarray(method.fit_transform(points))


def _tsne(
    points: np.ndarray, start: np.ndarray, neighbours: int, settings: MapSettings, report: Progress
) -> np.ndarray:
    from openTSNE import TSNE
    from openTSNE.initialization import rescale

    total, done = _EXAGGERATED_STEPS + _PLAIN_STEPS, 0

    def count(_step: int, _error: float, _layout: np.ndarray) -> None:
        nonlocal done
        done += _REPORT_EVERY  # openTSNE's own count starts again when the exaggeration ends
        report(done, total, "t-SNE")

    report(0, 0, "t-SNE: searching neighbours")
    layout = TSNE(
        perplexity=neighbours,
        # A correlation is the cosine of centred points; openTSNE's search knows the cosine alone.
        metric="euclidean" if settings.metric == "euclidean" else "cosine",
        initialization=rescale(start),  # pyright: ignore[reportArgumentType] (it takes an array as well)
        early_exaggeration_iter=_EXAGGERATED_STEPS,
        n_iter=_PLAIN_STEPS,
        n_jobs=1,
        random_state=settings.seed,
        callbacks=count,
        callbacks_every_iters=_REPORT_EVERY,
    ).fit(compared(points, settings.metric))
    return np.asarray(layout)


def _silent(_done: int, _total: int, _what: str) -> None:
    pass

"""Lay out embeddings on a plane: UMAP or t-SNE, by cosine, the same picture for the same points and seed."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from avion_core.data.progress import Progress
from avion_core.errors import ConfigError, DataError

Method = Literal["umap", "tsne"]
NEIGHBOURS: dict[Method, int] = {"umap": 15, "tsne": 30}
FEWEST_POINTS = 5
_EXAGGERATED_STEPS, _PLAIN_STEPS = 250, 500  # openTSNE's own defaults, named here for the progress
_REPORT_EVERY = 50


def project(
    points: np.ndarray,
    method: Method = "umap",
    *,
    seed: int = 0,
    neighbours: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Place N points of D dimensions on a plane so that neighbours by cosine stay neighbours.

    Both methods start from the first two principal components of the normalized points and run on one thread, so that
    points in the same order with the same seed give the same picture. Every point is placed; none is sampled away.

    Args:
        points: (N, D) embeddings, any length but zero; N >= 5, D >= 2.
        method: `umap` or `tsne`.
        seed: of the method's random draws.
        neighbours: how many neighbours a point tries to stay close to: UMAP's n_neighbors (15 when not given) or
            t-SNE's perplexity (30). What N points cannot support is lowered: `neighbours_within` says to what.
        progress: called with steps done of all steps; UMAP can report only its start and its end.

    Returns:
        (N, 2) float32. Directions and distances between far groups mean nothing; neighbourhoods do.

    Raises:
        DataError: too few points, a value that is not a number, a point of length zero.
        ConfigError: an unknown method, fewer than 2 neighbours.
    """
    neighbours = neighbours_within(len(points), method, neighbours)
    points = unit_rows(points)
    if np.ptp(points, axis=0).max() == 0:
        return np.zeros((len(points), 2), np.float32)  # one place for all: neither method is defined on it
    report = progress or _silent
    place = _umap if method == "umap" else _tsne
    return np.ascontiguousarray(place(points, _principal_plane(points, seed), neighbours, seed, report), np.float32)


def neighbours_within(count: int, method: Method, neighbours: int | None = None) -> int:
    """The neighbourhood that `count` points support: at most N - 1 for UMAP, (N - 1) / 3 for t-SNE's perplexity.

    Raises:
        ConfigError: an unknown method, fewer than 2 neighbours asked for.
        DataError: fewer than 5 points.
    """
    if method not in get_args(Method):
        raise ConfigError("there is no such kind of map", "Choose umap or tsne.", value=method)
    wanted = NEIGHBOURS[method] if neighbours is None else neighbours
    if wanted < 2:
        raise ConfigError("a map needs more neighbours", "Ask for 2 or more.", value=wanted)
    if count < FEWEST_POINTS:
        raise DataError(
            "there are too few points for a map", f"Choose views with {FEWEST_POINTS} points or more.", value=count
        )
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


def _umap(points: np.ndarray, start: np.ndarray, neighbours: int, seed: int, report: Progress) -> np.ndarray:
    from umap import UMAP  # compiles for seconds on import; only a map should wait for it

    report(0, 1, "UMAP")
    # A seed implies one thread; saying so keeps umap-learn from warning about it.
    method = UMAP(
        n_neighbors=neighbours,
        metric="cosine",
        init=start,  # pyright: ignore[reportArgumentType] (it takes an array as well)
        random_state=seed,
        n_jobs=1,
    )
    layout = np.asarray(method.fit_transform(points))
    report(1, 1, "UMAP")
    return layout


def _tsne(points: np.ndarray, start: np.ndarray, neighbours: int, seed: int, report: Progress) -> np.ndarray:
    from openTSNE import TSNE
    from openTSNE.initialization import rescale

    total, done = _EXAGGERATED_STEPS + _PLAIN_STEPS, 0

    def count(_step: int, _error: float, _layout: np.ndarray) -> None:
        nonlocal done
        done += _REPORT_EVERY  # openTSNE's own count starts again when the exaggeration ends
        report(done, total, "t-SNE")

    report(0, total, "t-SNE")
    layout = TSNE(
        perplexity=neighbours,
        metric="cosine",
        initialization=rescale(start),  # pyright: ignore[reportArgumentType] (it takes an array as well)
        early_exaggeration_iter=_EXAGGERATED_STEPS,
        n_iter=_PLAIN_STEPS,
        n_jobs=1,
        random_state=seed,
        callbacks=count,
        callbacks_every_iters=_REPORT_EVERY,
    ).fit(points)
    return np.asarray(layout)


def _silent(_done: int, _total: int, _what: str) -> None:
    pass

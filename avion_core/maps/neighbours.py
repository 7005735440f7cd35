"""Nearest neighbours of embeddings, and how many of them a layout keeps."""

from __future__ import annotations

import numpy as np

from avion_core.maps.settings import Metric
from avion_core.progress import Progress

_BLOCK = 1024
TRUST_NEIGHBOURS = 15
MOST_TRUST_POINTS = 2_000
"""Trustworthiness compares every point with every other: of more points, so many are drawn."""


def compared(points: np.ndarray, metric: Metric) -> np.ndarray:
    """(N, D) float32 rows of length 1 whose cosine is what `metric` compares: centred each for a correlation."""
    if metric != "correlation":
        return points
    centred = points - points.mean(1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def nearest(
    points: np.ndarray, count: int, metric: Metric, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The `count` nearest points of each point, itself among them, nearest first: exact, a block of rows at a time.

    Args:
        points: (N, D) float32 rows of length 1, count <= N.

    Returns:
        indices (N, count) int32 and distances (N, count) float32: 1 - cosine, or the Euclidean distance.
    """
    points = compared(points, metric)
    indices = np.empty((len(points), count), np.int32)
    distances = np.empty((len(points), count), np.float32)
    for start in range(0, len(points), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(points)))
        cosine = points[rows] @ points.T  # (B, N)
        cosine[np.arange(rows.stop - start), np.arange(start, rows.stop)] = np.inf  # itself first, among equals too
        near = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
        close = np.take_along_axis(cosine, near, axis=1)
        order = np.argsort(-close, axis=1, kind="stable")
        indices[rows] = np.take_along_axis(near, order, axis=1)
        away = np.clip(1 - np.take_along_axis(close, order, axis=1), 0, 2)
        distances[rows] = np.sqrt(2 * away) if metric == "euclidean" else away
        if progress is not None:
            progress(rows.stop, len(points), "neighbours")
    return indices, distances


def trust(points: np.ndarray, layout: np.ndarray, seed: int = 0) -> tuple[float, int]:
    """Trustworthiness of a layout (Venna and Kaski 2001), by scikit-learn: 1 when neighbours there are neighbours.

    Of each point's 15 nearest on the plane it asks how far down they are among its neighbours by cosine; strangers
    that only the plane puts close pull it below 1. About 0.5 is what a random layout gets.

    Args:
        points: (N, D) rows of length 1. layout: (N, 2).
        seed: of the draw where there are more than 2,000 points.

    Returns:
        The figure (NaN for fewer than 5 points) and on how many points it was measured.
    """
    from sklearn.manifold import trustworthiness

    if len(points) > MOST_TRUST_POINTS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(points), MOST_TRUST_POINTS, replace=False))
        points, layout = points[drawn], layout[drawn]
    if len(points) < 5:
        return float("nan"), len(points)
    near = min(TRUST_NEIGHBOURS, (len(points) - 1) // 2)
    return float(trustworthiness(points, layout, n_neighbors=near, metric="cosine")), len(points)

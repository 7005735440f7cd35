"""Where points of a map lie: on the way from before to after training, and where most of a class lies."""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST_LABELS = 60
"""Classes that are named on a map; of more, names would cover the points."""
_SAMPLED = 300  # points of a class that are compared with one another, the first ones


def places(points: pd.DataFrame, view: str, share: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every point in a view; "moving" is `share` (0 to 1) of the straight way from before to after."""
    if view != "moving":
        return points[f"x_{view}"].to_numpy(), points[f"y_{view}"].to_numpy()
    x, y = (
        (1 - share) * points[f"{axis}_before"].to_numpy() + share * points[f"{axis}_after"].to_numpy()
        for axis in ("x", "y")
    )
    return x, y


def class_labels(drawn: pd.DataFrame, names: pd.Series) -> list[tuple[float, float, str]]:
    """A name for each class at the one of its images (of its other points, without images) that lies most among them:
    the least sum of distances. A mean would name the empty ground between two groups.

    Args:
        drawn: the visible points, with `kind`, `x` and `y`.
        names: each one's class, in the same order; "no label" and "-" are named nowhere.
    """
    by_name = drawn.assign(name=names.to_numpy())
    by_name = by_name[~by_name["name"].isin(["no label", "-"])]
    if not 0 < by_name["name"].nunique() <= MOST_LABELS:
        return []
    found = []
    for name, rows in by_name.groupby("name", sort=True):
        images = rows[rows["kind"] == "image"]
        at = (rows if images.empty else images)[["x", "y"]].to_numpy(float)[:_SAMPLED]
        apart = np.linalg.norm(at[:, None] - at[None], axis=2).sum(1)  # (N,)
        x, y = at[int(apart.argmin())]
        found.append((float(x), float(y), str(name)))
    return found

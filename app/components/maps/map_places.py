"""Where points of a map lie: on the way from before to after training, and where most of a class lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

MOST_LABELS = 60
"""Classes that are named on a map; of more, names would cover the points."""
_CHARACTER, _LINE = 6.6, 19  # pixels of a name on a map: the width of a character, and a line's height
_BELOW, _ASIDE = -28, 8  # pixels from a name above its point to one below it, and from a point to a name beside it
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
    the least sum of distances. A mean would name the empty ground between two groups. The largest class comes first.

    Args:
        drawn: the visible points, with `kind`, `x` and `y`.
        names: each one's class, in the same order; "no label" and "-" are named nowhere.
    """
    by_name = drawn.assign(name=names.to_numpy())
    by_name = by_name[~by_name["name"].isin(["no label", "-"])]
    if not 0 < by_name["name"].nunique() <= MOST_LABELS:
        return []
    found = []
    for name, rows in sorted(by_name.groupby("name", sort=True), key=lambda group: -len(group[1])):
        images = rows[rows["kind"] == "image"]
        at = (rows if images.empty else images)[["x", "y"]].to_numpy(float)[:_SAMPLED]
        apart = np.linalg.norm(at[:, None] - at[None], axis=2).sum(1)  # (N,)
        x, y = at[int(apart.argmin())]
        found.append((float(x), float(y), str(name)))
    return found


def beside_each_other(
    labels: Sequence[tuple[float, float, str]],
    extent: tuple[Sequence[float], Sequence[float]],
    width: float,
    height: float,
) -> list[tuple[float, float, str]]:
    """The labels that can be read beside those before them: each above its point, or else below it, to its right or its
    left, or else left out.

    Args:
        labels: x, y and words, the most important first.
        extent: x and y ranges of the view.
        width: pixels of the view; `height` likewise.
    """
    per_x = width / (extent[0][1] - extent[0][0])
    per_y = height / (extent[1][1] - extent[1][0])
    taken: list[tuple[float, float, float]] = []  # centre x, centre y, half of the width, in pixels
    found = []
    for x, y, words in labels:
        half = min(_CHARACTER * len(words) + 2, width) / 2
        at_x, at_y = (x - extent[0][0]) * per_x, (y - extent[1][0]) * per_y
        for right, up in ((0.0, 0.0), (0.0, _BELOW), (half + _ASIDE, _BELOW / 2), (-half - _ASIDE, _BELOW / 2)):
            middle = min(max(at_x + right, half), width - half)  # inside the view
            free = (abs(middle - other) >= half + wide or abs(at_y + up - high) >= _LINE for other, high, wide in taken)
            if all(free):
                taken.append((middle, at_y + up, half))
                found.append((extent[0][0] + middle / per_x, y + up / per_y, words))
                break
    return found

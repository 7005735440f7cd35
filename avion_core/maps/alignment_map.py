"""Where images, descriptions and prototypes lie, for the teacher and for the student before and after training."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch

from avion_core.data.progress import Progress
from avion_core.errors import DataError
from avion_core.maps.project import Method, neighbours_within, project, unit_rows
from avion_core.metrics.alignment import alignment, modality_gap, uniformity

SPACES = (("teacher",), ("before", "after"))
"""Views by embedding space. Those of one space share one layout, so that a point's way from before to after is seen;
teacher and student have spaces of their own, whose layouts have nothing to do with each other."""

ITEM_COLUMNS = ("id", "kind", "class_key", "split", "kept", "text", "path")
_LIBRARY = {"umap": "umap-learn", "tsne": "openTSNE"}


@dataclass(frozen=True)
class AlignmentMap:
    """What `alignment_map` returns.

    points: a row per item and view: the items' columns, then `view`, `x`, `y` and `correct` (boolean; whether a
        labelled image's nearest prototype is its own class's, missing elsewhere).
    figures: a row per view: `view`, `alignment` (of labelled images with the prototype of their class), `uniformity`
        (of the images) and `modality_gap` (between images and prototypes); NaN where there are too few points to say.
    """

    points: pd.DataFrame
    figures: pd.DataFrame


def alignment_map(
    items: pd.DataFrame,
    views: Mapping[str, np.ndarray],
    *,
    method: Method = "umap",
    seed: int = 0,
    neighbours: int | None = None,
    progress: Progress | None = None,
) -> AlignmentMap:
    """Lay out the same items as each view sees them. Nothing is sampled: every item is in the table once per view.

    Args:
        items: columns `id`, `kind` (image, description or prototype), `class_key` ("" unlabelled), `split`, `kept`
            (descriptions), `text`, `path`. One prototype per class: the teacher's text prototype in the teacher's view,
            the student's own class text in the student's.
        views: `teacher`, `before` and `after`, or some of them: (items, D) embeddings in the items' order.
        method, seed, neighbours, progress: as in `project`.

    Raises:
        DataError: missing columns, an unknown view, a view that does not fit the items, values that are not numbers.
        ConfigError: as in `project`.
    """
    _check(items, views)
    units = {name: unit_rows(vectors) for name, vectors in views.items()}
    tables = []
    for space in SPACES:
        names = [name for name in space if name in units]
        if not names:
            continue
        report = progress and partial(_report, progress, " and ".join(names))
        together = np.concatenate([units[name] for name in names])
        layout = project(together, method, seed=seed, neighbours=neighbours, progress=report)
        for name, places in zip(names, np.split(layout, len(names)), strict=True):
            x, y = places.T
            tables.append(items.assign(view=name, x=x, y=y, correct=_correct(items, units[name])))
    figures = [{"view": table["view"].iloc[0], **_figures(items, units[table["view"].iloc[0]])} for table in tables]
    return AlignmentMap(pd.concat(tables, ignore_index=True), pd.DataFrame(figures))


def map_key(
    items: pd.DataFrame,
    views: Mapping[str, np.ndarray],
    *,
    method: Method = "umap",
    seed: int = 0,
    neighbours: int | None = None,
) -> str:
    """The name under which a map may be kept: equal for equal items, embeddings, settings and layout library."""
    _check(items, views)
    settings = {
        "items": items[list(ITEM_COLUMNS)].to_json(orient="split", index=False),
        "views": {name: _digest(views[name]) for name in sorted(views)},
        "neighbours": neighbours_within(len(items), method, neighbours),
        "seed": seed,
        "library": [_LIBRARY[method], version(_LIBRARY[method])],
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


def _check(items: pd.DataFrame, views: Mapping[str, np.ndarray]) -> None:
    if missing := [column for column in ITEM_COLUMNS if column not in items]:
        raise DataError("items lack columns", f"Give {', '.join(ITEM_COLUMNS)}.", value=", ".join(missing))
    known = [name for space in SPACES for name in space]
    if unknown := [name for name in views if name not in known]:
        raise DataError("there is no such view", f"Choose from {', '.join(known)}.", value=", ".join(unknown))
    if not views:
        raise DataError("a map needs a view", f"Choose from {', '.join(known)}.")
    for name, vectors in views.items():
        if len(vectors) != len(items):
            raise DataError(
                f"the view {name} does not fit the items",
                "Give one embedding per item, in the items' order.",
                value=f"{len(vectors)} embeddings for {len(items)} items",
            )


def _correct(items: pd.DataFrame, points: np.ndarray) -> pd.Series:
    """Whether each labelled image is nearest, by cosine, to the prototype of its own class; missing elsewhere."""
    correct = pd.Series(pd.NA, index=items.index, dtype="boolean")
    is_prototype = (items["kind"] == "prototype").to_numpy()
    if is_prototype.any():
        labelled = ((items["kind"] == "image") & (items["class_key"] != "")).to_numpy()
        classes = items["class_key"].to_numpy()[is_prototype]
        nearest = classes[(points[labelled] @ points[is_prototype].T).argmax(1)]
        correct[labelled] = nearest == items["class_key"].to_numpy()[labelled]
    return correct


def _figures(items: pd.DataFrame, points: np.ndarray) -> dict[str, float]:
    kind, classes = items["kind"].to_numpy(), items["class_key"].to_numpy()
    images, prototypes = np.flatnonzero(kind == "image"), np.flatnonzero(kind == "prototype")
    row_of = {classes[row]: row for row in prototypes}
    paired = [row for row in images if classes[row] in row_of]
    own = [row_of[classes[row]] for row in paired]

    def at(rows: np.ndarray | list) -> torch.Tensor:
        return torch.from_numpy(points[rows])

    return {
        "alignment": alignment(at(paired), at(own)) if paired else math.nan,
        "uniformity": uniformity(at(images)) if len(images) > 1 else math.nan,
        "modality_gap": modality_gap(at(images), at(prototypes)) if len(images) and len(prototypes) else math.nan,
    }


def _digest(vectors: np.ndarray) -> str:
    vectors = np.ascontiguousarray(vectors, np.float32)
    return hashlib.sha256(repr(vectors.shape).encode() + vectors.tobytes()).hexdigest()


def _report(progress: Progress, views: str, done: int, total: int, what: str) -> None:
    progress(done, total, f"{what} of {views}")

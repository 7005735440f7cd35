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

from avion_core.errors import DataError
from avion_core.maps.layout import neighbours_within, project, unit_rows
from avion_core.maps.neighbours import trust
from avion_core.maps.settings import MapSettings
from avion_core.metrics.alignment import alignment, modality_gap, uniformity
from avion_core.progress import Progress

SPACES = (("teacher",), ("before", "after"))
"""Views by embedding space. Those of one space share one layout, so that a point's way from before to after is seen;
teacher and student have spaces of their own, whose layouts have nothing to do with each other."""

VIEWS = tuple(view for space in SPACES for view in space)
ITEM_COLUMNS = ("id", "kind", "class_key", "part", "set", "kept", "writer", "text", "path")
MOST_UNIFORMITY_IMAGES = 5_000
"""Uniformity compares every pair of images: of more, so many are drawn."""

_LIBRARY = {"umap": "umap-learn", "tsne": "openTSNE"}


@dataclass(frozen=True)
class AlignmentMap:
    """What `alignment_map` returns."""

    points: pd.DataFrame
    """A row per item that is laid out: the items' columns, and for each view `x_VIEW`, `y_VIEW`, `nearest_VIEW`, the
    class of the nearest prototype ("" of a prototype itself and where there is none), and `rank_VIEW`, at which place
    its own class stands among the prototypes by cosine (1 is nearest; 0 of a prototype, and without such a class)."""
    figures: pd.DataFrame
    """A row per view: `view`, `alignment` (of labelled images with the prototype of their class), `uniformity` (of the
    images), `modality_gap` (between images and prototypes) and `trust` (how far the layout is to be believed), NaN
    where there are too few points to say; `uniformity_of` and `trust_of` count what they were measured on."""


def alignment_map(
    items: pd.DataFrame,
    views: Mapping[str, np.ndarray],
    settings: MapSettings | None = None,
    *,
    progress: Progress | None = None,
) -> AlignmentMap:
    """Lay out the same items as each view sees them. Nothing is sampled: every item of the wanted kinds has a place.

    Args:
        items: columns `id`, `kind` (image, description or prototype), `class_key` ("" unlabelled), `part` (of an
            image), `set` (base, novel or all), `kept` (descriptions), `writer`, `text`, `path`. One prototype per
            class: the teacher's text prototype in the teacher's view, the student's own class text in the student's.
        views: `teacher`, `before` and `after`, or some of them: (items, D) embeddings in the items' order.
        settings: how to lay out, and which kinds; figures and nearest prototypes are of all items.
        progress: as in `project`.

    Raises:
        DataError: missing columns, an unknown view, a view that does not fit the items, values that are not numbers,
            too few points.
    """
    settings = settings or MapSettings()
    _check(items, views)
    units = {name: unit_rows(vectors) for name, vectors in views.items()}
    wanted = items["kind"].isin(settings.kinds).to_numpy()
    points = items[wanted].reset_index(drop=True)
    figures = []
    for space in SPACES:
        names = [name for name in space if name in units]
        if not names:
            continue
        report = progress and partial(_report, progress, " and ".join(names))
        together = np.concatenate([units[name][wanted] for name in names])
        layout = project(together, settings, progress=report)
        if report is not None:
            report(0, 0, "figures")
        for name, places in zip(names, np.split(layout, len(names)), strict=True):
            points[f"x_{name}"], points[f"y_{name}"] = places.T
            nearest, rank = _nearest_classes(items, units[name])
            points[f"nearest_{name}"], points[f"rank_{name}"] = nearest[wanted], rank[wanted]
            believed, believed_of = trust(units[name][wanted], places, settings.seed)
            measured = _figures(items, units[name], settings.seed)
            figures.append({"view": name, **measured, "trust": believed, "trust_of": believed_of})
    return AlignmentMap(points, pd.DataFrame(figures))


def map_key(items: pd.DataFrame, views: Mapping[str, np.ndarray], settings: MapSettings | None = None) -> str:
    """The name under which a map may be kept: equal for equal items, embeddings, settings and layout library."""
    settings = settings or MapSettings()
    _check(items, views)
    count = int(items["kind"].isin(settings.kinds).sum())
    facts = {
        "items": items[list(ITEM_COLUMNS)].to_json(orient="split", index=False),
        "views": {name: _digest(views[name]) for name in sorted(views)},
        "kinds": sorted(settings.kinds),
        "layout": settings.layout | {"neighbours": neighbours_within(count, settings.method, settings.neighbourhood)},
        "library": [_LIBRARY[settings.method], version(_LIBRARY[settings.method])],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _check(items: pd.DataFrame, views: Mapping[str, np.ndarray]) -> None:
    if missing := [column for column in ITEM_COLUMNS if column not in items]:
        raise DataError("items lack columns", f"Give {', '.join(ITEM_COLUMNS)}.", value=", ".join(missing))
    if unknown := [name for name in views if name not in VIEWS]:
        raise DataError("there is no such view", f"Choose from {', '.join(VIEWS)}.", value=", ".join(unknown))
    if not views:
        raise DataError("a map needs a view", f"Choose from {', '.join(VIEWS)}.")
    for name, vectors in views.items():
        if len(vectors) != len(items):
            raise DataError(
                f"the view {name} does not fit the items",
                "Give one embedding per item, in the items' order.",
                value=f"{len(vectors)} embeddings for {len(items)} items",
            )


def _nearest_classes(items: pd.DataFrame, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each image and description, by cosine: (N,) key of the nearest prototype's class, "" where there is none, and
    (N,) the place of its own class among the prototypes, 0 where it has none."""
    kind, classes = items["kind"].to_numpy(), items["class_key"].to_numpy()
    nearest, rank = np.full(len(items), "", dtype=object), np.zeros(len(items), np.int32)
    prototypes, others = np.flatnonzero(kind == "prototype"), np.flatnonzero(kind != "prototype")
    if len(prototypes):
        cosines = points[others] @ points[prototypes].T  # (N, C)
        nearest[others] = classes[prototypes][cosines.argmax(1)]
        own = classes[others][:, None] == classes[prototypes][None]  # (N, C)
        own_cosine = np.where(own, cosines, -np.inf).max(1)
        rank[others] = np.where(own.any(1), 1 + (cosines > own_cosine[:, None]).sum(1), 0)
    return nearest, rank


def _figures(items: pd.DataFrame, points: np.ndarray, seed: int) -> dict[str, float]:
    kind, classes = items["kind"].to_numpy(), items["class_key"].to_numpy()
    images, prototypes = np.flatnonzero(kind == "image"), np.flatnonzero(kind == "prototype")
    row_of = {classes[row]: row for row in prototypes}
    paired = [row for row in images if classes[row] in row_of]
    own = [row_of[classes[row]] for row in paired]
    some = images
    if len(images) > MOST_UNIFORMITY_IMAGES:
        some = np.random.default_rng(seed).choice(images, MOST_UNIFORMITY_IMAGES, replace=False)

    def at(rows: np.ndarray | list) -> torch.Tensor:
        return torch.from_numpy(points[rows])

    return {
        "alignment": alignment(at(paired), at(own)) if paired else math.nan,
        "uniformity": uniformity(at(some)) if len(some) > 1 else math.nan,
        "uniformity_of": len(some),
        "modality_gap": modality_gap(at(images), at(prototypes)) if len(images) and len(prototypes) else math.nan,
    }


def _digest(vectors: np.ndarray) -> str:
    vectors = np.ascontiguousarray(vectors, np.float32)
    return hashlib.sha256(repr(vectors.shape).encode() + vectors.tobytes()).hexdigest()


def _report(progress: Progress, views: str, done: int, total: int, what: str) -> None:
    progress(done, total, f"{what} of {views}")

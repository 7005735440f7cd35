"""What is odd about new pictures, held against the project's own: where something is, a class would say little.

A student gives every picture one of its classes, a whole satellite scene or a face as well. Four things are looked at:
its size in pixels, its size on the ground, its bands, and how far it lies from the project's images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from torch import Tensor

from avion_core.data.ground import Extent, extent
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import DataError
from avion_core.metrics.novelty import DistanceLimit, nearest_distance
from avion_core.wording import counted

_LARGER = 4
"""How many times the side of the project's largest image a picture may have; the same scene in finer pixels passes."""
_WIDER = 2
"""How many times as wide on the ground."""
_SAMPLED = 8  # of the project's files, for their size on the ground: nothing else of a project knows it


def odd_extents(
    files: Sequence[Path], manifest: pd.DataFrame, recipe: RenderingRecipe, known: Iterable[Path]
) -> list[list[str]]:
    """What the files themselves say: a sentence for each oddity, none for a picture like the project's.

    Args:
        files: that can be decoded. manifest: of the project, see `data.scan.MANIFEST_COLUMNS`.
        known: some of the project's own files; a few are asked for their size on the ground.
    """
    if not {"width", "height", "bands"} <= set(manifest) or manifest.empty:
        return [[] for _ in files]  # a project of embeddings alone
    side = int(manifest[["width", "height"]].max().max())
    bands = sorted(set(manifest["bands"]))
    found = [extent(file) for file in files]
    georeferenced = any(one.ground for one in found)
    widest = _widest(known) if georeferenced else None
    return [
        [said for said in (_pixels(one, side), _ground(one, side, widest), _bands(one, bands, recipe)) if said]
        for one in found
    ]


def odd_distances(images: Tensor, known: Tensor, limit: DistanceLimit | None) -> list[str]:
    """A sentence for each image (N, D) that lies farther from all known ones (M, D) than the limit; "" for others."""
    if limit is None:
        return ["" for _ in images]
    return [
        f"It is far from everything known: its nearest image of the project is at a distance of {distance:.3f}, "
        f"beyond the limit of {limit.distance:.3f}."
        if distance > limit.distance
        else ""
        for distance in nearest_distance(images, known).tolist()
    ]


def limit_stated(limit: DistanceLimit | None) -> str:
    """Where the limit comes from, or why there is none."""
    if limit is None:
        return "Whether a picture is far from everything known is not checked: that takes 20 validation images."
    often = max(1 / (limit.images + 1), 0.01)
    return (
        f"Far means a cosine distance above {limit.distance:.3f} from each of {limit.known:,} images of the project. "
        f"The limit is its own: each of {counted(limit.images, 'validation image')} held against all others. Of "
        f"pictures like the project's about {100 * often:.0f} % would be called far."
    )


def _pixels(one: Extent, side: int) -> str:
    if max(one.width, one.height) <= _LARGER * side:
        return ""
    return (
        f"It is too large for one scene: {one.width:,} x {one.height:,} pixels, where the project's images have at "
        f"most {side:,} a side."
    )


def _ground(one: Extent, side: int, widest: float | None) -> str:
    if one.ground is None:
        return ""
    size = f"It is georeferenced and shows {_metres(one.ground[0])} x {_metres(one.ground[1])} of ground"
    if widest is None:  # tiles as large as the project's may well be scenes like its own
        larger = max(one.width, one.height) > side
        return f"{size}, more than one scene perhaps: the project's images have no coordinates." if larger else ""
    if max(one.ground) <= _WIDER * widest:
        return ""
    return f"{size}, where the project's images show at most {_metres(widest)}."


def _bands(one: Extent, known: Sequence[int], recipe: RenderingRecipe) -> str:
    """A recipe that names bands means those of the project's files."""
    if recipe.bands is None or one.bands in known:
        return ""
    named = ", ".join(map(str, recipe.bands))
    return (
        f"It has {counted(one.bands, 'band')}, where the project's images have {' or '.join(map(str, known))}: bands "
        f"{named} of the recipe may be other colours here."
    )


def _widest(known: Iterable[Path]) -> float | None:
    """The longest side on the ground, in metres, among a few of the project's files; None where none is told."""
    sides: list[float] = []
    for file in list(known)[:_SAMPLED]:
        try:
            ground = extent(file).ground
        except (DataError, OSError):  # gone since: the pages of the project say so
            continue
        sides += ground or ()
    return max(sides, default=None)


def _metres(side: float) -> str:
    if side < 1000:
        return f"{side:.0f} m"
    return f"{side / 1000:.1f} km" if side < 100_000 else f"{math.floor(side / 1000 + 0.5):,} km"

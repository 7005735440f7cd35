"""What a picture's file says of its extent: pixels, bands and, where it is georeferenced, metres on the ground."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import rasterio
from PIL import Image
from rasterio.io import DatasetReader

from avion_core.data.rasters import open_raster, raster_driver

_METRES_PER_DEGREE = 111_320.0  # on a meridian, and on the equator


class Extent(NamedTuple):
    """Of a picture as it is stored; only its header is read."""

    width: int
    height: int
    bands: int
    ground: tuple[float, float] | None
    """Width and height in metres; None without coordinates."""


def extent(file: Path) -> Extent:
    """The extent of a picture that can be decoded.

    Raises:
        ImageError, OSError: it cannot.
    """
    if raster_driver(file) is None:
        with Image.open(file) as picture:
            return Extent(*picture.size, len(picture.getbands()), None)
    with open_raster(file) as raster:
        return Extent(raster.width, raster.height, raster.count, _ground(raster))


def _ground(raster: DatasetReader) -> tuple[float, float] | None:
    """Width and height in metres, along the raster's own axes."""
    if raster.crs is None or raster.transform == rasterio.Affine.identity():
        return None
    step = raster.transform
    if raster.crs.is_geographic:
        _, latitude = raster.xy(raster.height / 2, raster.width / 2, offset="ul")
        east, north = _METRES_PER_DEGREE * math.cos(math.radians(float(latitude))), _METRES_PER_DEGREE
    else:
        east = north = raster.crs.linear_units_factor[1] if raster.crs.is_projected else 1.0
    sides = (
        raster.width * math.hypot(step.a * east, step.d * north),
        raster.height * math.hypot(step.b * east, step.e * north),
    )
    return sides if all(math.isfinite(side) and side > 0 for side in sides) else None

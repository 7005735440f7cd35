"""Where images were taken, and the blocks of ground that keep neighbours together (docs/method.md section 7).

A label table says it (columns lat or latitude, lon, lng or longitude), else the picture itself: a GeoTIFF by its
coordinates, a photo by the GPS position in its EXIF data. All are degrees of WGS 84.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from PIL import Image
from rasterio.errors import RasterioError
from rasterio.warp import transform
from sklearn.neighbors import NearestNeighbors

from avion_core.data.labels import read_columns, relative
from avion_core.data.problems import ImageError
from avion_core.data.rasters import open_raster, raster_driver
from avion_core.errors import DataError
from avion_core.progress import Progress

_LATITUDE, _LONGITUDE = ("lat", "latitude"), ("lon", "lng", "long", "longitude")
_GPS = 0x8825  # EXIF: the tags of the position
_KM_PER_DEGREE = 111.32  # on a meridian, and on the equator
_IN_A_BLOCK = 10  # images of a mosaic that a block holds
_MOST_KM = 20.0  # a block's side where images lie far from one another: then hardly any two are neighbours


class Place(NamedTuple):
    """Degrees, WGS 84: latitude -90 to 90, longitude -180 to below 180."""

    latitude: float
    longitude: float


def read_places(
    root: Path, paths: Iterable[str], table: Path | None = None, progress: Progress | None = None
) -> dict[str, Place]:
    """Where images were taken, by path (relative to root); those that nobody knows of are left out.

    Args:
        table: a label table; where it has columns of latitude and longitude, it alone is asked.

    Raises:
        DataError: the table holds a position that is none; names it.
    """
    listed = list(paths)
    if table is not None and table.suffix.lower() != ".json":
        columns, _ = read_columns(table, root, (*_LATITUDE, *_LONGITUDE))
        named = [next((name for name in of if name in columns), "") for of in (_LATITUDE, _LONGITUDE)]
        if all(named):
            degrees = zip(*(columns[name] for name in named), strict=True)
            said = {
                _composed(relative(str(path), root)): _said(*pair)
                for path, pair in zip(columns["path"], degrees, strict=True)
            }
            return {path: place for path in listed if (place := said.get(_composed(path))) is not None}
    found: dict[str, Place] = {}
    for done, path in enumerate(listed, start=1):
        if (place := place_of(root / path)) is not None:
            found[path] = place
        if progress is not None:
            progress(done, len(listed), "reading where images were taken")
    return found


def place_of(file: Path) -> Place | None:
    """The middle of a georeferenced raster, or where a photo's EXIF data says that it was taken; None for neither."""
    try:
        if raster_driver(file) == "GTiff" and (place := _middle(file)):
            return place
        with Image.open(file) as picture:
            position = picture.getexif().get_ifd(_GPS)
        return _checked(_degrees(position[2], position.get(1)), _degrees(position[4], position.get(3)))
    except (ImageError, RasterioError, OSError, ValueError, KeyError, TypeError, ZeroDivisionError, SyntaxError):
        return None  # damage of any kind: a scan has told it already


def blocks(places: Mapping[str, Place], side_km: float | None = None) -> tuple[dict[str, str], float]:
    """The square block of ground that each place lies in, by name, and the blocks' side in km.

    A grid is laid over the places, its squares as wide as high on the ground. Without a side it is chosen so that a
    gapless mosaic has about ten images in a block: the square root of ten times the usual distance to the nearest
    image, at most 20 km.

    Args:
        places: of images, by path.

    Raises:
        DataError: a side that is no positive number.
    """
    if side_km is not None and not 0 < side_km < math.inf:
        raise DataError("the side of a block cannot be used", "Give kilometres, more than 0.", value=side_km)
    side = side_km or _usual_side(list(places.values()))
    named: dict[str, str] = {}
    for path, place in places.items():
        row = math.floor(place.latitude * _KM_PER_DEGREE / side)
        # Degrees of longitude shrink towards the poles; each row of blocks has one width, that of its middle.
        middle = min(89.9, max(-89.9, (row + 0.5) * side / _KM_PER_DEGREE))
        width = _KM_PER_DEGREE * math.cos(math.radians(middle))
        column = math.floor(place.longitude * width / side)
        named[path] = f"place {(row + 0.5) * side / _KM_PER_DEGREE:.4f} {(column + 0.5) * side / width:.4f}"
    return named, side


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)  # disks and tables write é in two ways


def _usual_side(places: list[Place]) -> float:
    different = np.radians(sorted(set(places)))
    if len(different) < 2:
        return _MOST_KM
    nearest = NearestNeighbors(n_neighbors=2, metric="haversine").fit(different)
    apart = nearest.kneighbors(different, return_distance=True)[0][:, 1] * math.degrees(1) * _KM_PER_DEGREE
    return float(min(_MOST_KM, max(0.001, math.sqrt(_IN_A_BLOCK) * float(np.median(apart)))))


def _middle(file: Path) -> Place | None:
    with open_raster(file) as raster:
        if raster.crs is None or raster.transform == rasterio.Affine.identity():
            return None
        x, y = raster.xy(raster.height / 2, raster.width / 2, offset="ul")
        longitudes, latitudes = transform(raster.crs, "EPSG:4326", [x], [y])[:2]
    return _checked(latitudes[0], longitudes[0])


def _degrees(parts: object, side: object) -> float:
    """Degrees, minutes and seconds with N, S, E or W, as EXIF has them."""
    degrees, minutes, seconds = (float(part) for part in parts)  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType, reportUnknownArgumentType]
    value = degrees + minutes / 60 + seconds / 3600
    return -value if str(side).strip("\0 ").upper() in ("S", "W") else value


def _checked(latitude: float, longitude: float) -> Place | None:
    """A place, or None: no numbers, not on Earth, or 0, 0, which devices write where they know nothing."""
    if not (math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 360):
        return None
    if latitude == longitude == 0:
        return None
    return Place(latitude, (longitude + 180) % 360 - 180)


def _said(latitude: object, longitude: object) -> Place | None:
    """A place in a table's cells; None where they are empty."""
    texts = [str(cell).strip() for cell in (latitude, longitude)]
    if all(text.lower() in ("", "nan", "none", "<na>") for text in texts):
        return None
    try:
        place = _checked(*(float(text.replace(",", ".")) for text in texts))
    except ValueError:
        place = None
    if place is None:
        hint = "Give degrees as numbers: latitude -90 to 90, longitude -180 to 180; or leave both cells empty."
        raise DataError("the label file holds a position that is none", hint, value=", ".join(texts))
    return place

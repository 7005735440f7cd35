"""A picture's extent by its header: pixels, bands and metres on the ground, in degrees, metres and feet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio import Affine
from rasterio.transform import from_origin
from rasterio.warp import transform

from avion_core.data.ground import extent

FIXTURES = Path(__file__).parents[1] / "fixtures" / "geotiff"


def raster(path: Path, crs: str | None, step: Affine | None, width: int = 20, height: int = 10, bands: int = 4) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=bands, dtype="uint16", crs=crs, transform=step
    ) as out:
        out.write(np.zeros((bands, height, width), np.uint16))
    return path


def test_metres_feet_and_degrees_come_to_metres(tmp_path: Path) -> None:
    utm = extent(raster(tmp_path / "utm.tif", "EPSG:32632", from_origin(500_000, 5_000_000, 10, 10)))
    assert (utm.width, utm.height, utm.bands, utm.ground) == (20, 10, 4, (200.0, 100.0))
    feet = extent(raster(tmp_path / "feet.tif", "EPSG:2263", from_origin(900_000, 200_000, 100, 100)))
    assert feet.ground == pytest.approx((2000 * 0.3048, 1000 * 0.3048), rel=1e-4)
    degrees = extent(raster(tmp_path / "degrees.tif", "EPSG:4326", from_origin(8, 60, 0.01, 0.01)))
    # Held against the projection's own arithmetic.
    east, north = transform("EPSG:4326", "EPSG:32632", [8, 8.2, 8.1, 8.1], [59.95, 59.95, 59.9, 60])
    assert degrees.ground == pytest.approx((east[1] - east[0], north[3] - north[2]), rel=0.01)
    turned = extent(raster(tmp_path / "turned.tif", "EPSG:32632", Affine(8, 6, 0, 6, -8, 0)))
    assert turned.ground == pytest.approx((200, 100))


def test_without_coordinates_there_is_no_ground(tmp_path: Path) -> None:
    assert extent(raster(tmp_path / "plain.tif", None, None)).ground is None
    Image.new("RGB", (7, 5)).save(tmp_path / "a.png")
    assert extent(tmp_path / "a.png") == (7, 5, 3, None)


def test_a_real_scene() -> None:
    found = extent(FIXTURES / "RGB.byte.tif")
    assert (found.width, found.height, found.bands) == (64, 64, 3)
    assert found.ground == pytest.approx((64 * 300, 64 * 300), rel=0.001)

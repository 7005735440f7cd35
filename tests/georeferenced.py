"""Small rasters with coordinates."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import rasterio
from rasterio.transform import from_origin


def tile(path: Path, side: int, metres: float, bands: int = 3) -> Path:
    """A square raster of noise in UTM zone 32, `metres` wide on the ground."""
    draw = np.random.default_rng(crc32(f"{path.parent.name}/{path.name}".encode()))
    step = from_origin(500_000, 5_000_000, metres / side, metres / side)
    facts = {"width": side, "height": side, "count": bands, "dtype": "uint8", "crs": "EPSG:32632", "transform": step}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", **facts) as raster:
        raster.write(draw.integers(100, 140, (bands, side, side), np.uint8))
    return path

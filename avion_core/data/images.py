"""One picture from a file: decoded safely, rendered by the project's recipe, always RGB.

What is stated here once and holds for every format:
- The format is told from the file's first bytes, never from its name.
- EXIF orientation is applied, so that the towers see what a person sees in a viewer.
- Transparent pixels are painted in the recipe's nodata colour.
- An alpha band counts as transparency only where the file marks it so and the recipe names no bands.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from avion_core.data.problems import ImageError
from avion_core.data.rasters import check_size, corrupt, is_measurement, open_raster, own_bands, raster_driver
from avion_core.data.recipe import RenderingRecipe

_STRIP_ROWS = 512  # rasters are painted in strips, so that memory does not grow with the number of bands or bits
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error)


def content_id(path: Path) -> str:
    """The image id: the first 32 hexadecimal characters of the SHA-256 of the file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def open_image(path: Path, recipe: RenderingRecipe = RenderingRecipe()) -> Image.Image:  # noqa: B008 - frozen
    """The picture as 8-bit RGB.

    Raises:
        ImageError (a DataError): with kind "corrupt", "empty", "oversize", or "needs_recipe": bands that the
            file does not have, four or more bands without a recipe that names three, more than 8 bits
            without a stretch.
    """
    return decode_image(path, recipe)[0]


def decode_image(path: Path, recipe: RenderingRecipe) -> tuple[Image.Image, int]:
    """As `open_image`, with the number of bands in the file."""
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise ImageError("empty", "the file is empty", "Fetch it again or remove it.", value=path.name)
        raster = raster_driver(path) is not None
    except OSError as error:
        raise ImageError(
            "unreadable",
            f"the file cannot be read ({error.strerror})",
            "Check that it is there and may be read.",
            value=path.name,
        ) from error
    return _decode_raster(path, recipe) if raster else _decode_picture(path, recipe)


def _decode_picture(path: Path, recipe: RenderingRecipe) -> tuple[Image.Image, int]:
    """PNG and JPEG of 8 bits, through pillow."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as picture:
            check_size(path, *picture.size)
            bands = len(picture.getbands())
            picture.load()
            picture = ImageOps.exif_transpose(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            "oversize", "the picture claims far too many pixels", "Cut it into tiles.", value=path.name
        ) from error
    except _DECODE_ERRORS as error:
        raise corrupt(path) from error
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
    elif picture.mode != "L":
        picture = picture.convert("RGB")
    if picture.mode != "RGBA" and recipe == RenderingRecipe(nodata_colour=recipe.nodata_colour):
        return picture.convert("RGB"), bands
    values = np.atleast_3d(np.asarray(picture)).transpose(2, 0, 1)
    visible = np.ones(values.shape[1:], dtype=np.float32)
    if recipe.bands is not None:
        values = values[_indexes(recipe.bands, len(values), path)]
    elif len(values) == 4:
        values, visible = values[:3], values[3] / np.float32(255)
    visible = visible * _measured(values, recipe.nodata)
    return Image.fromarray(_paint(values, visible, recipe, path)), bands


def _decode_raster(path: Path, recipe: RenderingRecipe) -> tuple[Image.Image, int]:
    """TIFF, GeoTIFF and 16-bit PNG, through GDAL, strip by strip."""
    with open_raster(path) as raster:
        indexes = _bands_to_read(raster, recipe, path)
        nodata = recipe.nodata if recipe.nodata is not None else raster.nodata
        palette = _palette(raster) if recipe.bands is None else None
        flags = raster.mask_flag_enums[0]
        masked = MaskFlags.per_dataset in flags and (recipe.bands is None or MaskFlags.alpha not in flags)
        canvas = np.empty((raster.height, raster.width, 3), dtype=np.uint8)
        for top in range(0, raster.height, _STRIP_ROWS):
            window = Window(0, top, raster.width, min(_STRIP_ROWS, raster.height - top))  # type: ignore[call-arg]
            values = raster.read(indexes, window=window)
            visible = _measured(values, nodata).astype(np.float32)
            if masked:
                visible *= raster.read_masks(indexes[0], window=window) / np.float32(255)
            if palette is not None:
                values = palette[values[0]].transpose(2, 0, 1)
            canvas[top : top + _STRIP_ROWS] = _paint(values, visible, recipe, path)
        return Image.fromarray(canvas), raster.count


def _bands_to_read(raster: DatasetReader, recipe: RenderingRecipe, path: Path) -> list[int]:
    if recipe.bands is not None:
        return [index + 1 for index in _indexes(recipe.bands, raster.count, path)]
    bands = own_bands(raster)
    if bands is None:
        raise ImageError(
            "needs_recipe",
            f"the raster has {raster.count} bands, and which of them to show is not known",
            "Name the bands for red, green and blue in the rendering recipe.",
            value=path.name,
        )
    if raster.count > len(bands) and is_measurement(raster.read_masks(1)):
        raise ImageError(
            "needs_recipe",
            "the last band is marked as transparency but looks like a measurement (near infrared, perhaps)",
            "Name the three bands to show in the rendering recipe.",
            value=path.name,
        )
    return list(bands)


def _indexes(bands: tuple[int, ...], count: int, path: Path) -> list[int]:
    if max(bands) > count:
        raise ImageError(
            "needs_recipe",
            f"the recipe asks for band {max(bands)}, but the file has {count}",
            "Name bands that every file of the project has.",
            value=path.name,
        )
    return [band - 1 for band in bands]


def _palette(raster: DatasetReader) -> np.ndarray | None:
    """The colour table of a palette raster as (levels, 3) uint8, or None."""
    if raster.count != 1 or raster.colorinterp[0] != ColorInterp.palette:
        return None
    table = np.zeros((np.iinfo(raster.dtypes[0]).max + 1, 3), dtype=np.uint8)
    for level, colour in raster.colormap(1).items():
        table[level] = colour[:3]
    return table


def _measured(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Where (h, w) the values (bands, h, w) are measurements: not NaN, and not nodata in all bands at once."""
    measured = np.ones(values.shape[1:], dtype=bool)
    if nodata is not None:
        measured &= (values != nodata).any(axis=0)
    if values.dtype.kind == "f":
        measured &= ~np.isnan(values).any(axis=0)
    return measured


def _paint(values: np.ndarray, visible: np.ndarray, recipe: RenderingRecipe, path: Path) -> np.ndarray:
    """Stored values (1 or 3, h, w), visible to a share (h, w) in [0, 1], to pixels (h, w, 3) uint8."""
    if recipe.low is not None and recipe.high is not None:
        pixels = _stretch(values, recipe.low, recipe.high, path)
    elif values.dtype == np.uint8:
        pixels = values
    else:
        raise ImageError(
            "needs_recipe",
            f"the values are {values.dtype}, and which of them to show as black and white is not known",
            "Give the rendering recipe a fixed stretch: low and high.",
            value=path.name,
        )
    if len(pixels) == 1:
        pixels = np.repeat(pixels, 3, axis=0)
    if (visible < 1).any():
        pixels = np.rint(pixels * visible + recipe.nodata_colour * (1 - visible)).astype(np.uint8)
    return pixels.transpose(1, 2, 0)


def _stretch(values: np.ndarray, low: tuple[float, ...], high: tuple[float, ...], path: Path) -> np.ndarray:
    """255 (value - low) / (high - low), clipped and rounded, band by band; NaN becomes 0."""
    if len(low) not in (1, len(values)):
        raise ImageError(
            "needs_recipe",
            f"the recipe stretches {len(low)} bands, but the file shows {len(values)}",
            "Give one low and high for all bands, or name the bands.",
            value=path.name,
        )
    # float32 holds 16 bits exactly; wider integers and float64 keep their own precision.
    real = np.result_type(values.dtype, np.float32)
    black, white = (np.asarray(ends, dtype=real).reshape(-1, 1, 1) for ends in (low, high))
    shares = (values.astype(real).clip(black, white) - black) / (white - black)
    return np.rint(np.nan_to_num(shares) * 255).astype(np.uint8)

"""Rasters through GDAL, kept to local files of known formats."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from avion_core.data.problems import ImageError

PIXEL_LIMIT = 2**26
"""Largest picture that is decoded, in pixels (8192 x 8192): a small file can claim to be a huge one."""

_HALF_TRANSPARENT_SHARE = 0.1
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and BigTIFF, either byte order
_PNG_MARK = b"\x89PNG\r\n\x1a\n"

# Scene tiles often carry no coordinates, and nothing here needs them.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


def raster_driver(path: Path) -> str | None:
    """Which GDAL driver should read the file, by its first bytes; None leaves it to pillow.

    PNG of 16 bits is a raster here, since pillow would cut its colours to 8.
    """
    with path.open("rb") as file:
        head = file.read(25)
    if head[:4] in _TIFF_MARKS:
        return "GTiff"
    return "PNG" if head[:8] == _PNG_MARK and head[24:25] == b"\x10" else None


@contextmanager
def open_raster(path: Path, page: int = 1) -> Iterator[DatasetReader]:
    """The raster, opened; failures while it is read inside the block are told as ImageErrors too.

    Side-car files (.aux.xml, .ovr, .tfw) are not looked at: the content hash would not cover them, and
    listing a folder of 30,000 tiles for each tile is slow. The named driver keeps out formats that lead
    elsewhere, such as a VRT in disguise.

    Args:
        page: of a TIFF, from 1.

    Raises:
        ImageError: corrupt, oversize, or not real numbers.
    """
    try:
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(_address(path, page), driver=raster_driver(path)) as raster,
        ):
            for height, width in (raster.shape, *raster.block_shapes):  # a block is decoded whole, however small a part
                check_size(path, width, height)
            if any(dtype.startswith("complex") for dtype in raster.dtypes):
                raise ImageError(
                    "needs_recipe",
                    "the raster holds complex numbers",
                    "Export its amplitude as a real raster first.",
                    value=path.name,
                )
            yield raster
    except RasterioError as error:
        raise corrupt(path) from error


def _address(path: Path, page: int) -> Path | str:
    """What GDAL opens: the file, or a later page of it."""
    return path.absolute() if page == 1 else f"GTIFF_DIR:{page}:{path.absolute()}"


def own_bands(raster: DatasetReader) -> tuple[int, ...] | None:
    """The bands (from 1) that the file itself shows: one of grey, or red, green and blue; None where it is not known.

    A last band marked as alpha is no colour. Three bands without marks are taken as red, green and blue.
    """
    colours = raster.colorinterp[:-1] if raster.colorinterp[-1] == ColorInterp.alpha else raster.colorinterp
    if len(colours) == 3:
        return marked_bands(raster) or (1, 2, 3)
    return (1,) if len(colours) == 1 else None


def marked_bands(raster: DatasetReader) -> tuple[int, ...] | None:
    """The bands (from 1) that are marked red, green and blue, wherever they are in the file."""
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if not set(rgb) <= set(raster.colorinterp):
        return None
    return tuple(raster.colorinterp.index(colour) + 1 for colour in rgb)


def is_measurement(opacity: np.ndarray) -> bool:
    """Whether a band marked as alpha (values 0 to 255) is none: a tenth or more of it is half transparent.

    Common writers mark the fourth 8-bit band as alpha whatever is in it, so near infrared often comes so.
    """
    return bool(((opacity > 0) & (opacity < 255)).mean() >= _HALF_TRANSPARENT_SHARE)


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse a picture above PIXEL_LIMIT before any of it is decoded."""
    if width * height > PIXEL_LIMIT:
        raise ImageError(
            "oversize",
            f"the image declares {width} x {height} pixels, more than {PIXEL_LIMIT:,} in all",
            "Cut it into tiles; each scene image should show one scene.",
            value=path.name,
        )


def corrupt(path: Path) -> ImageError:
    """The error of a file that no decoder understands, or not to its end."""
    return ImageError(
        "corrupt",
        "the image cannot be decoded",
        "It is incomplete, damaged, or not really a PNG, JPEG or TIFF; copy or download it again, or remove it.",
        value=path.name,
    )

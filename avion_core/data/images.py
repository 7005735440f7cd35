"""One picture from a file: decoded safely, rendered by the project's recipe, always RGB.

What is stated here once and holds for every format:
- The format is told from the file's first bytes, never from its name.
- Orientation is applied (EXIF, TIFF's own tag), so that the towers see what a person sees in a viewer.
- A file is one picture: several pages or frames are refused, since nothing says which of them is meant. Thumbnails,
  overviews and masks inside a TIFF are no pages.
- A stretch is for the depth it was chosen for: 8-bit files and palettes keep their colours beside 16-bit ones.
- Transparent pixels are painted in the recipe's nodata colour.
- An alpha band counts as transparency only where the file marks it so and the recipe names no bands.
"""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from avion_core.data.problems import ImageError
from avion_core.data.rasters import check_size, corrupt, is_measurement, open_raster, own_bands, raster_driver
from avion_core.data.recipe import Depth, RenderingRecipe, depth_of
from avion_core.data.tiff import TiffPage, tiff_pages

_STRIP_ROWS = 512  # rasters are painted in strips, so that memory does not grow with the number of bands or bits
_PNG_START, _PNG_EXTRAS = 8, (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# How numpy turns a picture as stored into one as displayed, by TIFF's tag 274.
_TURNS = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels.transpose(1, 0, 2)[:, ::-1],
    7: lambda pixels: pixels.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda pixels: pixels.transpose(1, 0, 2)[::-1],
}
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error)


class Decoded(NamedTuple):
    """A picture and what its file is."""

    image: Image.Image
    """8-bit RGB as displayed."""
    bands: int
    """In the file."""
    depth: Depth
    """Of its stored values."""
    hidden: float
    """Share of the pixels, 0 to 1, that are no data or fully transparent."""


def content_id(path: Path) -> str:
    """The image id: the first 32 hexadecimal characters of the SHA-256 of the file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def open_image(path: Path, recipe: RenderingRecipe = RenderingRecipe()) -> Image.Image:  # noqa: B008 - frozen
    """The picture as 8-bit RGB.

    Raises:
        ImageError (a DataError): with kind "corrupt", "empty", "oversize", "pages" (several pictures in one file), or
            "needs_recipe": bands that the file does not have, four or more bands without a recipe that names three,
            more than 8 bits without a stretch, or a stretch for another depth.
    """
    return decode_image(path, recipe).image


def decode_image(path: Path, recipe: RenderingRecipe) -> Decoded:
    """As `open_image`, with what the file is."""
    path = Path(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            hint = "Choose a picture; folders, pipes and devices are none."
            raise ImageError("unreadable", "this is not a regular file", hint, value=path.name)
        if found.st_size == 0:
            raise ImageError("empty", "the file is empty", "Copy or download it again, or remove it.", value=path.name)
        raster = raster_driver(path) is not None
    except OSError as error:
        raise ImageError(
            "unreadable",
            f"the file cannot be read ({error.strerror})",
            "Check that it exists and that you may read it.",
            value=path.name,
        ) from error
    if not raster:
        return _decode_picture(path, recipe)
    page = _only_page(path)
    if page is not None and page.other_colours and page.bits == 8:
        return _decode_picture(path, recipe, formats=("TIFF",))
    return _decode_raster(path, recipe, page)


def _decode_picture(path: Path, recipe: RenderingRecipe, formats: tuple[str, ...] = ("JPEG", "PNG")) -> Decoded:
    """PNG and JPEG of 8 bits, and TIFF in CMYK or LAB, through pillow."""
    try:
        picture, bands, palette = _load_picture(path, formats)
        picture = ImageOps.exif_transpose(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            "oversize", "the image declares far too many pixels", "Cut it into tiles.", value=path.name
        ) from error
    except _DECODE_ERRORS as error:
        raise corrupt(path) from error
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
    elif picture.mode == "LAB":
        picture = _lab_to_rgb(picture)
    elif picture.mode != "L":
        picture = picture.convert("RGB")
    recipe = recipe.without_stretch() if palette else recipe.for_depth("byte", path)
    if picture.mode != "RGBA" and recipe == RenderingRecipe(nodata_colour=recipe.nodata_colour):
        return Decoded(picture.convert("RGB"), bands, "byte", 0.0)
    values = np.atleast_3d(np.asarray(picture)).transpose(2, 0, 1)
    visible = np.ones(values.shape[1:], dtype=np.float32)
    if recipe.bands is not None:
        values = values[_indexes(recipe.bands, len(values), path)]
    elif len(values) == 4:
        values, visible = values[:3], values[3] / np.float32(255)
    visible = visible * _measured(values, recipe.nodata)
    hidden = float((visible == 0).mean())
    return Decoded(Image.fromarray(_paint(values, visible, recipe, path)), bands, "byte", hidden)


def _load_picture(path: Path, formats: tuple[str, ...]) -> tuple[Image.Image, int, bool]:
    """The picture, its bands, and whether it has a palette; of a PNG whose texts or colour profile are larger than
    pillow reads, without those.
    """
    try:
        return _load(path, path, formats)
    except ValueError:
        with path.open("rb") as file:
            if file.read(_PNG_START) != b"\x89PNG\r\n\x1a\n":
                raise
        return _load(path, _without_extras(path), ("PNG",))


def _load(path: Path, source: Path | io.BytesIO, formats: tuple[str, ...]) -> tuple[Image.Image, int, bool]:
    with Image.open(source, formats=formats) as picture:
        check_size(path, *picture.size)
        if picture.format == "PNG" and getattr(picture, "n_frames", 1) > 1:
            raise _several(path, f"{picture.n_frames} frames")  # type: ignore[attr-defined]
        bands, palette = len(picture.getbands()), picture.mode in ("P", "PA")
        # With a name, pillow maps the file to memory, and turned CMYK TIFFs come out garbled.
        picture.filename = ""  # type: ignore[attr-defined]
        picture.load()
        return picture, bands, palette


def _without_extras(path: Path) -> io.BytesIO:
    """A PNG without its texts and colour profile, which say nothing of the pixels that we read."""
    content = path.read_bytes()
    kept, place = [content[:_PNG_START]], _PNG_START
    while place + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunk = content[place : place + length + 12]
        if chunk[4:8] not in _PNG_EXTRAS:
            kept.append(chunk)
        place += length + 12
    return io.BytesIO(b"".join(kept))


def _lab_to_rgb(picture: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    rgb = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
    assert rgb is not None
    return rgb


def _only_page(path: Path) -> TiffPage | None:
    """The one page of a TIFF; None where it is no TIFF, or none that can be read."""
    pages = tiff_pages(path) if raster_driver(path) == "GTiff" else []
    if len(pages) > 1:
        sizes = ", ".join(f"{page.width} x {page.height}" for page in pages[:3]) + (", ..." if len(pages) > 3 else "")
        raise _several(path, f"{len(pages)} pages ({sizes})")
    return next(iter(pages), None)


def _several(path: Path, what: str) -> ImageError:
    return ImageError("pages", f"the file holds {what}", "Save each one as a separate file.", value=path.name)


def _decode_raster(path: Path, recipe: RenderingRecipe, page: TiffPage | None) -> Decoded:
    """TIFF, GeoTIFF and 16-bit PNG, through GDAL, strip by strip."""
    with open_raster(path, page.number if page else 1) as raster:
        indexes = _bands_to_read(raster, recipe, path)
        nodata = recipe.nodata if recipe.nodata is not None else raster.nodata
        negative = page is not None and page.white_is_zero and raster.dtypes[0].startswith("uint")
        palette = _palette(raster) if recipe.bands is None and not (negative and recipe.low) else None
        depth: Depth = "byte" if palette is not None else depth_of(raster.dtypes[0])
        recipe = recipe.for_depth(depth, path) if palette is None else recipe.without_stretch()
        top_value = _top_value(raster)
        hidden = 0
        flags = raster.mask_flag_enums[0]
        masked = MaskFlags.per_dataset in flags and (recipe.bands is None or MaskFlags.alpha not in flags)
        canvas = np.empty((raster.height, raster.width, 3), dtype=np.uint8)
        for top in range(0, raster.height, _STRIP_ROWS):
            window = Window(0, top, raster.width, min(_STRIP_ROWS, raster.height - top))  # type: ignore[call-arg]
            values = raster.read(indexes, window=window)
            visible = _measured(values, nodata).astype(np.float32)
            if masked:
                visible *= raster.read_masks(indexes[0], window=window) / np.float32(255)
            hidden += int((visible == 0).sum())
            if palette is not None:
                values = palette[values[0]].transpose(2, 0, 1)
            elif negative:
                values = top_value - values
            if palette is None and depth == "byte" and top_value < 255 and recipe.low is None:
                values = np.rint(values * (255 / top_value)).astype(np.uint8)  # 1, 2 or 4 bits
            canvas[top : top + _STRIP_ROWS] = _paint(values, visible, recipe, path)
    if page is not None and page.orientation in _TURNS:
        canvas = np.ascontiguousarray(_TURNS[page.orientation](canvas))
    return Decoded(Image.fromarray(canvas), raster.count, depth, hidden / (raster.height * raster.width))


def _top_value(raster: DatasetReader) -> np.integer:
    """The largest value that the first band's bits can hold; 1 for anything but unsigned integers."""
    kind = np.dtype(raster.dtypes[0])
    if kind.kind != "u":
        return np.uint8(1)
    bits = int(raster.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8 * kind.itemsize))
    return kind.type(2**bits - 1)


def _bands_to_read(raster: DatasetReader, recipe: RenderingRecipe, path: Path) -> list[int]:
    if recipe.bands is not None:
        return [index + 1 for index in _indexes(recipe.bands, raster.count, path)]
    bands = own_bands(raster)
    if bands is None:
        raise ImageError(
            "needs_recipe",
            f"the raster has {raster.count} bands, and it is not known which of them to show",
            "Set the bands for red, green and blue in the rendering recipe.",
            value=path.name,
        )
    if raster.count > len(bands) and is_measurement(raster.read_masks(1)):
        raise ImageError(
            "needs_recipe",
            "the last band is marked as transparency but looks like a measurement (near infrared, perhaps)",
            "Set the three bands to show in the rendering recipe.",
            value=path.name,
        )
    return list(bands)


def _indexes(bands: tuple[int, ...], count: int, path: Path) -> list[int]:
    if max(bands) > count:
        raise ImageError(
            "needs_recipe",
            f"the recipe asks for band {max(bands)}, but the file has only {count}",
            "Name bands that every file of the project has.",
            value=path.name,
        )
    return [band - 1 for band in bands]


def _palette(raster: DatasetReader) -> np.ndarray | None:
    """The colour table of a palette raster, with or without an alpha band, as (levels, 3) uint8, or None."""
    if own_bands(raster) != (1,) or raster.colorinterp[0] != ColorInterp.palette:
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
            f"the values are {values.dtype}, and it is not known which of them are black and white",
            "Set a fixed stretch in the rendering recipe: low and high.",
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

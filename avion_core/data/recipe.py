"""The rendering recipe: how a project turns rasters into the RGB pictures that the towers see.

A recipe is chosen once per project and recorded, so that every picture, feature and prediction of the
project is made the same way. The stretch is fixed: a per-image stretch would make the same ground look
different from tile to tile, and would hide the very brightness differences that tell classes apart.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator
from rasterio.io import DatasetReader

from avion_core.data.problems import ImageError
from avion_core.data.rasters import is_measurement, marked_bands, open_raster, own_bands, raster_driver
from avion_core.errors import DataError

Depth = Literal["byte", "integer", "real"]
"""How finely a file stores its values: up to 8 bits, more bits, or floating point."""

_DEPTH_WORDS = {"byte": "8-bit values", "integer": "integers of more than 8 bits", "real": "floating-point values"}
_SAMPLE_SIDE = 1024  # a suggestion needs no more than about a million pixels
_SENTINEL2_BAND_COUNTS = (12, 13)  # level 2A and 1C stacks in the order B01, B02, B03, B04, ...
_COLOURS = (
    {"red", "r", "b04", "b4"},
    {"green", "g", "b03", "b3"},
    {"blue", "b", "b02", "b2"},
)


class RenderingRecipe(BaseModel):
    """Bands, stretch and holes. The default takes 8-bit grey and RGB files as they are.

    Raises:
        DataError: a recipe that cannot be meant (two bands, low above high, a stretch of the wrong length).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    bands: tuple[int, ...] | None = None
    """Bands for red, green and blue (or one for grey), counted from 1; None takes the file's own grey or RGB."""
    low: tuple[float, ...] | None = None
    """Stored value shown as black, one for all bands or one per band; None shows 8-bit values as they are."""
    high: tuple[float, ...] | None = None
    """Stored value shown as full brightness, in the form of `low`."""
    nodata: float | None = None
    """Stored value that means "no measurement"; None takes the file's own mark. NaN always means it."""
    nodata_colour: int = 0
    """Grey level, 0 to 255, painted where there is no measurement."""
    depth: Depth | None = None
    """What `low` and `high` were chosen for: 8-bit files beside deeper ones keep their values; None stretches all."""

    @model_serializer(mode="wrap")
    def _as_recorded(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a depth, a recipe is written as before there was one, so that features made with it still count."""
        return {name: value for name, value in serialize(self).items() if name != "depth" or value is not None}

    def for_depth(self, depth: Depth, path: Path) -> RenderingRecipe:
        """This recipe for a file whose values are stored so: 8-bit files keep their values beside deeper ones.

        Raises:
            ImageError: kind "needs_recipe": the stretch was chosen for values of another kind.
        """
        if self.low is None or self.depth in (None, depth):
            return self
        if depth == "byte":
            return self.without_stretch()
        raise ImageError(
            "needs_recipe",
            f"the file holds {_DEPTH_WORDS[depth]}, and the recipe's stretch is for {_DEPTH_WORDS[self.depth]}",
            "Put files of one kind into one project, or convert them to 8 bits.",
            value=path.name,
        )

    def without_stretch(self) -> RenderingRecipe:
        """This recipe for values that are colours already."""
        return self.model_copy(update={"low": None, "high": None, "depth": None})

    @model_validator(mode="after")
    def _check(self) -> RenderingRecipe:
        if self.bands is not None and (len(self.bands) not in (1, 3) or min(self.bands) < 1):
            raise DataError(
                "the recipe's bands cannot be used",
                "Name one band (grey) or three (red, green, blue), counted from 1.",
                value=self.bands,
            )
        if (self.low is None) != (self.high is None) or len(self.low or ()) != len(self.high or ()):
            raise DataError(
                "the recipe's stretch is incomplete",
                "Give both low and high, with the same number of values.",
                value=(self.low, self.high),
            )
        if self.low is not None and self.high is not None:
            if len(self.low) not in (1, 3) or (self.bands is not None and len(self.low) not in (1, len(self.bands))):
                raise DataError(
                    "the recipe's stretch does not fit its bands",
                    "Give one low and high for all bands, or one for each band.",
                    value=(self.low, self.high),
                )
            if not all(
                math.isfinite(a) and math.isfinite(b) and a < b for a, b in zip(self.low, self.high, strict=True)
            ):
                raise DataError(
                    "the recipe's stretch is empty",
                    "Each low must be a number below its high.",
                    value=(self.low, self.high),
                )
        if not 0 <= self.nodata_colour <= 255:
            raise DataError(
                "the recipe's nodata value is not a grey level", "Choose 0 to 255.", value=self.nodata_colour
            )
        return self


def depth_of(dtype: str) -> Depth:
    """How finely values of a numpy type are stored."""
    kind = np.dtype(dtype)
    return "byte" if kind.itemsize == 1 else "real" if kind.kind == "f" else "integer"


def suggest_recipe(path: Path) -> RenderingRecipe:
    """Propose a recipe from one raster; show a person `open_image(path, recipe)` before it is recorded.

    Bands come from the file's colour interpretation, else from its band names, else from the number of
    bands (Sentinel-2 stacks), else they are the first three. The stretch is the 2nd to 98th percentile of
    the measured pixels of each band; 8-bit files keep their values.

    Raises:
        DataError: the raster cannot be read, is too large, or holds no measured pixel.
    """
    path = Path(path)
    if raster_driver(path) is None:
        return RenderingRecipe()
    with open_raster(path) as raster:
        shrink = max(1, max(raster.shape) / _SAMPLE_SIDE)
        height, width = (max(1, round(side / shrink)) for side in raster.shape)
        bands = None
        indexes = own_bands(raster)
        if indexes is None or is_measurement(raster.read_masks(1, out_shape=(height, width))):
            indexes = bands = _suggest_bands(raster)
        nodata = raster.nodata if raster.nodata is not None and math.isfinite(raster.nodata) else None
        if raster.dtypes[0] == "uint8":
            return RenderingRecipe(bands=bands, nodata=nodata)
        depth = depth_of(raster.dtypes[0])
        sample = raster.read(indexes, out_shape=(len(indexes), height, width)).reshape(len(indexes), -1)
    measured = np.isfinite(sample).all(axis=0) & ~(sample == nodata).all(axis=0)
    if not measured.any():
        raise DataError(
            "the raster has no valid pixel", "Choose another raster for setting the recipe.", value=str(path)
        )
    low, high = np.percentile(sample[:, measured].astype(np.float64), (2, 98), axis=1)
    high = np.where(high > low, high, low + 1)  # a constant band
    return RenderingRecipe(bands=bands, low=_readable(low), high=_readable(high), nodata=nodata, depth=depth)


def _suggest_bands(raster: DatasetReader) -> tuple[int, ...]:
    if marked := marked_bands(raster):
        return marked
    names = [(name or "").strip().lower() for name in raster.descriptions]
    named = [[i for i, name in enumerate(names, start=1) if name in aliases] for aliases in _COLOURS]
    if all(named):
        return tuple(found[0] for found in named)
    if raster.count in _SENTINEL2_BAND_COUNTS:
        return (4, 3, 2)
    return (1, 2, 3) if raster.count >= 3 else (1,)


def _readable(values: np.ndarray) -> tuple[float, ...]:
    """Six significant digits: enough for 256 levels, and a person can read and edit them."""
    return tuple(float(f"{value:.6g}") for value in values)

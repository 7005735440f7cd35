"""The rendering recipe: what it refuses, and what is proposed for a raster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from avion_core.data import ImageError, RenderingRecipe, open_image, suggest_recipe
from avion_core.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

FIXTURES = Path(__file__).parents[1] / "fixtures" / "geotiff"


def write_stack(path: Path, count: int, names: tuple[str, ...] = (), dtype: str = "uint16", **profile) -> Path:
    profile = {"driver": "GTiff", "photometric": "minisblack"} | profile
    values = np.random.default_rng(0).integers(0, 4000, (count, 40, 40)).astype(dtype)
    with rasterio.open(path, "w", count=count, height=40, width=40, dtype=dtype, **profile) as raster:
        raster.write(values)
        for band, name in enumerate(names, start=1):
            raster.set_band_description(band, name)
    return path


@pytest.mark.parametrize(
    ("settings", "what", "hint"),
    [
        ({"bands": (1, 2)}, r"bands cannot be used: \(1, 2\)", "Name one band"),
        ({"bands": (0, 1, 2)}, "bands cannot be used", "counted from 1"),
        ({"low": (0,)}, "stretch is incomplete", "both low and high"),
        ({"low": (0, 0, 0), "high": (1,)}, "stretch is incomplete", "the same number of values"),
        ({"low": (0, 0), "high": (1, 1)}, "does not fit its bands", "one for each band"),
        ({"bands": (1,), "low": (0, 0, 0), "high": (1, 1, 1)}, "does not fit its bands", "one for each band"),
        ({"low": (5,), "high": (5,)}, r"stretch is empty: \(\(5\.0,\), \(5\.0,\)\)", "below its high"),
        ({"low": (float("nan"),), "high": (5,)}, "stretch is empty", "a number below its high"),
        ({"nodata_colour": 256}, "not a grey level: 256", "Choose 0 to 255"),
    ],
)
def test_recipes_that_cannot_be_meant_are_refused(settings, what, hint):
    with pytest.raises(DataError, match=what) as caught:
        RenderingRecipe(**settings)
    assert hint in str(caught.value)


def test_a_recipe_is_recorded_and_read_back(tmp_path):
    recipe = RenderingRecipe(bands=(4, 3, 2), low=(0.5,), high=(3000,), nodata=-9999, nodata_colour=255)
    assert RenderingRecipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert hash(recipe) == hash(recipe.model_copy())


def test_eight_bit_pictures_need_no_recipe(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert suggest_recipe(tmp_path / "a.png") == RenderingRecipe()
    assert suggest_recipe(FIXTURES / "RGBA.byte.tif") == RenderingRecipe()
    assert suggest_recipe(FIXTURES / "RGB.byte.tif") == RenderingRecipe(nodata=0)


@pytest.mark.parametrize(
    ("count", "names", "bands"),
    [
        (1, (), None),
        (2, (), (1,)),
        (4, (), (1, 2, 3)),
        (4, ("blue", "green", "red", "nir"), (3, 2, 1)),
        (13, (), (4, 3, 2)),
        (5, ("B08", "B02", "B03", "B04", "B11"), (4, 3, 2)),
    ],
)
def test_bands_are_proposed_from_names_and_counts(tmp_path, count, names, bands):
    recipe = suggest_recipe(write_stack(tmp_path / "a.tif", count, names))
    assert recipe.bands == bands
    assert recipe.low is not None
    assert len(recipe.low) == len(bands or (1,))


def test_four_eight_bit_bands_get_bands_but_no_stretch(tmp_path):
    recipe = suggest_recipe(write_stack(tmp_path / "a.tif", 4, dtype="uint8", alpha="unspecified"))
    assert recipe == RenderingRecipe(bands=(1, 2, 3))


@pytest.mark.parametrize("name", ["scene_band1", "mosaic_cog1", "cog_int16", "cog_nodata_nan"])
def test_a_proposal_uses_the_whole_range_of_grey_on_real_rasters(name):
    file = FIXTURES / f"{name}.tif"
    with pytest.raises(ImageError, match="Set a fixed stretch in the rendering recipe"):
        open_image(file)
    shown = np.asarray(open_image(file, suggest_recipe(file)))
    assert shown.min() == 0
    assert shown.max() == 255
    assert 60 < shown[shown > 0].mean() < 200


def test_the_stretch_is_between_percentiles_of_measured_pixels(tmp_path):
    values = np.zeros((1, 100, 100), dtype=np.uint16)
    values[0, :50] = np.arange(5000).reshape(50, 100) + 1000
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=1, height=100, width=100, dtype="uint16", nodata=0
    ) as raster:
        raster.write(values)
    recipe = suggest_recipe(tmp_path / "a.tif")
    assert recipe.nodata == 0
    assert recipe.low == pytest.approx((1099.98,))
    assert recipe.high == pytest.approx((5899.02,))


def test_a_constant_raster_still_gets_a_stretch(tmp_path):
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", count=1, height=4, width=4, dtype="uint16") as raster:
        raster.write(np.full((1, 4, 4), 77, dtype=np.uint16))
    assert suggest_recipe(tmp_path / "a.tif") == RenderingRecipe(low=(77,), high=(78,), depth="integer")


def test_a_raster_without_measurements_cannot_set_a_recipe(tmp_path):
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", count=1, height=4, width=4, dtype="float32") as raster:
        raster.write(np.full((1, 4, 4), np.nan, dtype=np.float32))
    with pytest.raises(DataError, match=r"has no valid pixel.*a\.tif.*Choose another raster"):
        suggest_recipe(tmp_path / "a.tif")

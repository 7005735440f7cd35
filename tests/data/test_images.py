"""Awkward pictures: each is decoded as stated, or refused with a message that says what to do."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from avion_core.data import ImageError, RenderingRecipe, content_id, open_image, suggest_recipe
from avion_core.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

FIXTURES = Path(__file__).parents[1] / "fixtures" / "geotiff"
RAMP = np.arange(48 * 32, dtype=np.uint16).reshape(32, 48) * 40  # 0 .. 61,400


def write_raster(path: Path, bands: np.ndarray, colours: list[ColorInterp] | None = None, **profile) -> Path:
    """bands (B, h, w)."""
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "photometric": "minisblack"} | profile
    with rasterio.open(path, "w", count=count, height=height, width=width, dtype=bands.dtype.name, **profile) as raster:
        raster.write(bands)
        if colours:
            raster.colorinterp = colours
    return path


def pixels(path: Path, recipe: RenderingRecipe | None = None) -> np.ndarray:
    picture = open_image(path, recipe or RenderingRecipe())
    assert picture.mode == "RGB"
    return np.asarray(picture)


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)


def test_content_id_is_the_hash_of_the_bytes(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"tile")
    assert content_id(file) == hashlib.sha256(b"tile").hexdigest()[:32]


@pytest.mark.parametrize("name", ["plain.png", "väldigt långt namn – 森林 #1?.png", "C: a;b&c.tif"])
def test_lossless_formats_keep_every_value_under_any_name(tmp_path, colours, name):
    Image.fromarray(colours).save(tmp_path / name)
    assert (pixels(tmp_path / name) == colours).all()


def test_the_format_is_told_from_the_bytes_not_the_name(tmp_path, colours):
    Image.fromarray(colours).save(tmp_path / "tile.tif", format="PNG")
    write_raster(tmp_path / "tile.png", colours.transpose(2, 0, 1))
    assert (pixels(tmp_path / "tile.tif") == colours).all()
    assert (pixels(tmp_path / "tile.png") == colours).all()


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_grey_bilevel_and_palette_pngs_become_rgb(tmp_path, colours, mode):
    picture = Image.fromarray(colours).convert(mode)
    picture.save(tmp_path / "tile.png")
    assert (pixels(tmp_path / "tile.png") == np.asarray(picture.convert("RGB"))).all()


def test_cmyk_jpeg_becomes_rgb_not_four_bands(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    red, green, blue = pixels(tmp_path / "red.jpg").reshape(-1, 3).mean(axis=0)
    assert red > 200
    assert max(green, blue) < 60


def test_exif_orientation_is_applied_as_viewers_do(tmp_path):
    picture = Image.new("RGB", (40, 20), "black")
    picture.paste("white", (0, 0, 10, 20))  # white at the left
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    shown = pixels(tmp_path / "turned.jpg")
    assert shown.shape == (40, 20, 3)
    assert shown[:8].mean() > 240  # white at the top
    assert shown[20:].mean() < 15


def test_transparent_pixels_take_the_nodata_colour(tmp_path, colours):
    opaque = np.full((32, 48), 255, dtype=np.uint8)
    opaque[:5] = 0
    Image.fromarray(np.dstack([colours, opaque])).save(tmp_path / "holes.png")
    shown = pixels(tmp_path / "holes.png", RenderingRecipe(nodata_colour=7))
    assert (shown[:5] == 7).all()
    assert (shown[5:] == colours[5:]).all()


def test_a_recipe_orders_the_bands_of_pictures_too(tmp_path, colours):
    Image.fromarray(colours).save(tmp_path / "bgr.png")
    assert (pixels(tmp_path / "bgr.png", RenderingRecipe(bands=(3, 2, 1))) == colours[..., ::-1]).all()


@pytest.mark.parametrize("driver", ["GTiff", "PNG"])
def test_sixteen_bits_follow_the_fixed_stretch_exactly(tmp_path, driver):
    file = write_raster(tmp_path / "deep", RAMP[None], driver=driver)
    shown = pixels(file, RenderingRecipe(low=(10_000,), high=(40_000,)))
    expected = np.rint(np.clip((RAMP - 10_000.0) / 30_000, 0, 1) * 255)
    assert np.abs(shown - expected[..., None]).max() <= 1
    assert (shown[RAMP <= 10_000] == 0).all()
    assert (shown[RAMP >= 40_000] == 255).all()


def test_the_stretch_is_per_band_when_given_so(tmp_path):
    bands = np.stack([RAMP, RAMP, RAMP])
    shown = pixels(
        write_raster(tmp_path / "a.tif", bands), RenderingRecipe(low=(0, 0, 0), high=(10_000, 30_000, 65_000))
    ).astype(int)
    middle = RAMP == 9_600
    assert shown[middle].tolist() == [[245, 82, 38]]


def test_sixteen_bit_colour_png_is_not_cut_to_eight_bits_in_silence(tmp_path):
    file = write_raster(tmp_path / "a.png", np.stack([RAMP] * 3), driver="PNG")
    with pytest.raises(ImageError, match=r"values are uint16.*a\.png.*fixed stretch"):
        open_image(file)


def test_large_rasters_are_painted_strip_by_strip_without_seams(tmp_path):
    rows = np.tile((np.arange(1300) % 256).astype(np.uint8)[:, None], (1, 4))
    assert (pixels(write_raster(tmp_path / "tall.tif", rows[None]))[..., 0] == rows).all()


def test_nan_and_nodata_of_floats_take_the_nodata_colour(tmp_path):
    values = np.linspace(0, 1, 32 * 48, dtype=np.float32).reshape(1, 32, 48)
    values[0, 0] = np.nan
    values[0, 1] = -9999
    file = write_raster(tmp_path / "reflectance.tif", values, nodata=-9999)
    shown = pixels(file, RenderingRecipe(low=(0,), high=(1,), nodata_colour=200))
    assert (shown[:2] == 200).all()
    assert shown[-1, -1].tolist() == [255, 255, 255]


def test_a_pixel_is_a_hole_only_if_all_shown_bands_are_nodata(tmp_path, colours):
    colours[0, 0] = (9, 9, 9)
    colours[0, 1] = (9, 9, 50)
    Image.fromarray(colours).save(tmp_path / "a.png")
    shown = pixels(tmp_path / "a.png", RenderingRecipe(nodata=9, nodata_colour=255))
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert shown[0, 1].tolist() == [9, 9, 50]


def test_bands_marked_blue_green_red_are_shown_in_their_colours(tmp_path, colours):
    marks = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    file = write_raster(tmp_path / "bgr.tif", colours.transpose(2, 0, 1)[::-1], marks)
    assert (pixels(file) == colours).all()


def test_an_internal_mask_hides_pixels(tmp_path, colours):
    mask = np.full((32, 48), 255, dtype=np.uint8)
    mask[:, :10] = 0
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", count=3, height=32, width=48, dtype="uint8") as raster,
    ):
        raster.write(colours.transpose(2, 0, 1))
        raster.write_mask(mask)
    shown = pixels(tmp_path / "a.tif")
    assert (shown[:, :10] == 0).all()
    assert (shown[:, 10:] == colours[:, 10:]).all()


def test_side_car_files_cannot_change_a_picture(tmp_path, colours):
    """The content hash covers one file, so the picture may come from that file alone."""
    file = write_raster(tmp_path / "a.tif", colours.transpose(2, 0, 1))
    nodata = "<NoDataValue>3</NoDataValue>"
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset>"
        + "".join(f'<PAMRasterBand band="{band}">{nodata}</PAMRasterBand>' for band in (1, 2, 3))
        + "</PAMDataset>"
    )
    colours[0, 0] = 3
    write_raster(file, colours.transpose(2, 0, 1))
    assert pixels(file, RenderingRecipe(nodata_colour=255))[0, 0].tolist() == [3, 3, 3]


class TestFourBands:
    """Never silently RGBA."""

    @pytest.fixture
    def near_infrared(self, tmp_path, colours) -> Path:
        bands = np.concatenate([colours.transpose(2, 0, 1), colours[None, ..., 0] // 2 + 60])
        undefined = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined]
        return write_raster(tmp_path / "rgbn.tif", bands, undefined, photometric="rgb")

    def test_refused_without_a_recipe(self, near_infrared):
        with pytest.raises(ImageError, match=r"has 4 bands.*rgbn\.tif.*Set the bands for red, green and blue"):
            open_image(near_infrared)

    def test_shown_by_a_recipe(self, near_infrared, colours):
        assert (pixels(near_infrared, RenderingRecipe(bands=(1, 2, 3))) == colours).all()
        false_colour = pixels(near_infrared, RenderingRecipe(bands=(4, 1, 2)))
        assert (false_colour[..., 0] == colours[..., 0] // 2 + 60).all()

    def test_near_infrared_that_a_writer_marked_as_alpha_is_refused(self, tmp_path, near_infrared, colours):
        """GDAL marks the fourth 8-bit band of an RGB file as alpha by default, whatever is in it."""
        with rasterio.open(near_infrared) as raster:
            bands = raster.read()
        file = tmp_path / "marked.tif"
        with rasterio.open(file, "w", driver="GTiff", count=4, height=32, width=48, dtype="uint8") as raster:
            raster.write(bands)
        with rasterio.open(file) as raster:
            assert raster.colorinterp[3] == ColorInterp.alpha
        with pytest.raises(ImageError, match="marked as transparency but looks like a measurement") as caught:
            open_image(file)
        assert caught.value.kind == "needs_recipe"
        assert suggest_recipe(file) == RenderingRecipe(bands=(1, 2, 3))
        assert (pixels(file, RenderingRecipe(bands=(1, 2, 3))) == colours).all()

    def test_true_alpha_is_transparency(self):
        shown = pixels(FIXTURES / "RGBA.byte.tif", RenderingRecipe(nodata_colour=255))
        with rasterio.open(FIXTURES / "RGBA.byte.tif") as raster:
            *colour_bands, alpha = raster.read()
        assert (shown[alpha == 0] == 255).all()
        assert (shown[alpha == 255] == np.dstack(colour_bands)[alpha == 255]).all()


class TestRealRasters:
    def test_rgb_with_nodata(self):
        with rasterio.open(FIXTURES / "RGB.byte.tif") as raster:
            expected = raster.read().transpose(1, 2, 0)
        assert (pixels(FIXTURES / "RGB.byte.tif") == expected).all()
        light = pixels(FIXTURES / "RGB.byte.tif", RenderingRecipe(nodata_colour=255))
        assert (light[(expected == 0).all(axis=2)] == 255).all()

    def test_palette_shows_its_colours(self):
        shown = pixels(FIXTURES / "cog_cmap.tif")
        with rasterio.open(FIXTURES / "cog_cmap.tif") as raster:
            levels, table = raster.read(1), raster.colormap(1)
        for level in np.unique(levels):
            assert (shown[levels == level] == table[level][:3]).all()

    def test_float_with_nan(self):
        recipe = suggest_recipe(FIXTURES / "cog_nodata_nan.tif").model_copy(update={"nodata_colour": 99})
        with rasterio.open(FIXTURES / "cog_nodata_nan.tif") as raster:
            values = raster.read(1)
        assert np.isnan(values).sum() == 4
        assert (pixels(FIXTURES / "cog_nodata_nan.tif", recipe)[np.isnan(values) | (values == 0)] == 99).all()


class TestRefused:
    """Each bad file: what is wrong, the value, the way out."""

    def refused(self, file: Path, kind: str, *parts: str, recipe: RenderingRecipe | None = None) -> None:
        with pytest.raises(DataError) as caught:
            open_image(file, recipe or RenderingRecipe())
        assert isinstance(caught.value, ImageError)
        assert caught.value.kind == kind
        for part in (file.name, *parts):
            assert part in str(caught.value)

    def test_missing(self, tmp_path):
        self.refused(tmp_path / "gone.png", "unreadable", "No such file", "Check that it exists")

    def test_empty(self, tmp_path):
        (tmp_path / "a.jpg").touch()
        self.refused(tmp_path / "a.jpg", "empty", "The file is empty", "remove it")

    def test_text_renamed(self, tmp_path):
        (tmp_path / "a.jpg").write_text("not a picture\n" * 50)
        self.refused(tmp_path / "a.jpg", "corrupt", "cannot be decoded", "not really a PNG, JPEG or TIFF")

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
    def test_truncated(self, tmp_path, colours, suffix):
        whole = tmp_path / f"whole{suffix}"
        Image.fromarray(colours).save(whole)
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
        self.refused(cut, "corrupt", "cannot be decoded", "incomplete")

    def test_damaged_tile_inside_a_sound_tiff(self, tmp_path, colours):
        file = write_raster(tmp_path / "a.tif", np.tile(colours.transpose(2, 0, 1), (1, 8, 8)), compress="deflate")
        data = bytearray(file.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
        file.write_bytes(data)
        self.refused(file, "corrupt", "damaged")

    @pytest.mark.parametrize(
        ("side", "what"),
        [(9_000, "declares 9000 x 9000 pixels, more than 67,108,864"), (60_000, "far too many pixels")],
    )
    def test_png_bomb(self, tmp_path, side, what):
        def chunk(kind: bytes, body: bytes) -> bytes:
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        file = tmp_path / "bomb.png"
        file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")))
        self.refused(file, "oversize", what, "Cut it into tiles")

    def test_tiff_bomb(self, tmp_path):
        with rasterio.open(
            tmp_path / "bomb.tif", "w", driver="GTiff", count=3, height=100_000, width=100_000, dtype="uint8",
            tiled=True, compress="deflate", SPARSE_OK=True,
        ):  # fmt: skip
            pass
        self.refused(tmp_path / "bomb.tif", "oversize", "declares 100000 x 100000 pixels", "Cut it into tiles")

    def test_tile_bomb_in_a_small_tiff(self, tmp_path):
        with rasterio.open(
            tmp_path / "bomb.tif", "w", driver="GTiff", count=1, height=64, width=64, dtype="uint8",
            tiled=True, blockxsize=16_384, blockysize=16_384, compress="deflate", SPARSE_OK=True,
        ):  # fmt: skip
            pass
        self.refused(tmp_path / "bomb.tif", "oversize", "declares 16384 x 16384 pixels")

    def test_band_that_is_not_there(self, tmp_path, colours):
        Image.fromarray(colours).save(tmp_path / "a.png")
        recipe = RenderingRecipe(bands=(8, 4, 3))
        self.refused(tmp_path / "a.png", "needs_recipe", "asks for band 8, but the file has only 3", recipe=recipe)

    def test_stretch_of_three_on_a_grey_file(self, tmp_path):
        file = write_raster(tmp_path / "a.tif", RAMP[None])
        recipe = RenderingRecipe(low=(0, 0, 0), high=(1, 1, 1))
        self.refused(file, "needs_recipe", "stretches 3 bands, but the file shows 1", recipe=recipe)

    def test_two_bands(self, tmp_path):
        self.refused(write_raster(tmp_path / "a.tif", np.stack([RAMP, RAMP])), "needs_recipe", "has 2 bands")

    def test_complex_numbers(self, tmp_path):
        file = write_raster(tmp_path / "slc.tif", RAMP[None].astype(np.complex64))
        self.refused(file, "needs_recipe", "complex numbers", "Export its amplitude")

    def test_another_format_in_disguise_leads_nowhere(self, tmp_path, colours):
        """A VRT is text that makes GDAL open other files; here it is no picture."""
        Image.fromarray(colours).save(tmp_path / "secret.png")
        (tmp_path / "a.tif").write_text(
            '<VRTDataset rasterXSize="48" rasterYSize="32"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
            '<SourceFilename relativeToVRT="1">secret.png</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
        )
        self.refused(tmp_path / "a.tif", "corrupt", "cannot be decoded")

    def test_webp_is_not_among_the_formats(self, tmp_path, colours):
        buffer = io.BytesIO()
        Image.fromarray(colours).save(buffer, "WEBP")
        (tmp_path / "a.png").write_bytes(buffer.getvalue())
        self.refused(tmp_path / "a.png", "corrupt", "not really a PNG, JPEG or TIFF")

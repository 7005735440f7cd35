"""Pictures that went wrong in use: orientation, negatives, depth, several pages, nothing to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image, PngImagePlugin, TiffImagePlugin
from rasterio.enums import ColorInterp

from avion_core.data.images import decode_image, open_image
from avion_core.data.problems import ImageError
from avion_core.data.recipe import RenderingRecipe, suggest_recipe
from avion_core.data.scan import scan_folder

HEIGHT, WIDTH = 24, 32
TURNED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.transpose(a, (1, 0, 2)),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.transpose(np.rot90(a, 2), (1, 0, 2)),
    8: lambda a: np.rot90(a, 1),
}


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def write_raster(path: Path, values: np.ndarray, **options: object) -> Path:
    """values: (bands, h, w)."""
    profile = {"driver": "GTiff", "count": len(values), "height": values.shape[1], "width": values.shape[2]}
    with rasterio.open(path, "w", dtype=values.dtype, **profile, **options) as raster:
        raster.write(values)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_s_orientation_is_applied_as_a_jpeg_s_is(tmp_path, colours, orientation):
    path = tmp_path / "turned.tif"
    Image.fromarray(colours).save(path, tiffinfo={274: orientation})
    assert np.array_equal(np.asarray(open_image(path)), TURNED[orientation](colours))
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(colours).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(np.asarray(open_image(tmp_path / "turned.png")), np.asarray(open_image(path)))


@pytest.mark.parametrize("mode", ["CMYK", "LAB"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_turned_tiff_in_other_colours_shows_what_it_shows_upright(tmp_path, colours, mode, compression):
    picture = Image.fromarray(colours).convert("CMYK" if mode == "CMYK" else "RGB")
    if mode == "LAB":
        picture = Image.frombytes("LAB", picture.size, colours.tobytes())
    picture.save(tmp_path / "upright.tif", compression=compression)
    picture.save(tmp_path / "turned.tif", compression=compression, tiffinfo={274: 6})
    upright = np.asarray(open_image(tmp_path / "upright.tif"))
    assert np.array_equal(np.asarray(open_image(tmp_path / "turned.tif")), TURNED[6](upright))


def test_width_and_height_in_the_manifest_are_those_displayed(tmp_path, colours):
    Image.fromarray(colours).save(tmp_path / "turned.tif", tiffinfo={274: 6})
    (row,) = scan_folder(tmp_path).manifest.to_dict("records")
    assert (row["width"], row["height"]) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_where_white_is_zero_white_is_white(tmp_path, dtype):
    top = np.iinfo(dtype).max
    grey = np.linspace(0, top, HEIGHT * WIDTH).astype(dtype).reshape(1, HEIGHT, WIDTH)
    path = write_raster(tmp_path / "negative.tif", top - grey, photometric="MINISWHITE")
    right = np.rint(grey[0] / (top / 255)).astype(int)
    stretched = RenderingRecipe(low=(0,), high=(float(top),))
    for recipe in (RenderingRecipe(), stretched) if dtype == "uint8" else (stretched,):
        assert np.abs(np.asarray(open_image(path, recipe))[..., 0].astype(int) - right).max() <= 1


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("bands", [1, 3])
def test_values_of_few_bits_fill_the_whole_range(tmp_path, bits, bands):
    top = 2**bits - 1
    values = np.random.default_rng(bits).integers(0, top + 1, (bands, HEIGHT, WIDTH), dtype=np.uint8)
    path = write_raster(tmp_path / "few.tif", values, nbits=bits)
    shown = np.asarray(open_image(path)).transpose(2, 0, 1)[:bands]
    assert np.array_equal(shown, np.rint(values * (255 / top)))


@pytest.mark.parametrize("recipe", [RenderingRecipe(), RenderingRecipe(low=(0,), high=(3000,), depth="integer")])
def test_a_palette_beside_an_alpha_band_shows_its_colours(tmp_path, recipe):
    levels = np.random.default_rng(0).integers(0, 9, (HEIGHT, WIDTH), dtype=np.uint8)
    alpha = np.where(np.arange(HEIGHT)[:, None] < 6, 0, 255).repeat(WIDTH, axis=1).astype(np.uint8)
    path = tmp_path / "palette.tif"
    with rasterio.open(path, "w", driver="GTiff", count=2, height=HEIGHT, width=WIDTH, dtype="uint8") as raster:
        raster.write(np.stack([levels, alpha]))
        raster.write_colormap(1, {level: (255 - level, 20 * level, 7, 255) for level in range(10)})
        raster.colorinterp = (ColorInterp.palette, ColorInterp.alpha)
    picture = decode_image(path, recipe)
    level = levels.astype(int)
    shown = np.stack([255 - level, 20 * level, np.full_like(level, 7)], axis=-1) * (alpha[..., None] > 0)
    assert np.array_equal(np.asarray(picture.image), shown)
    assert picture.hidden == 0.25


def test_lab_and_cmyk_tiffs_are_shown_in_their_colours(tmp_path):
    flat = Image.new("RGB", (WIDTH, HEIGHT), (200, 60, 40))
    flat.convert("CMYK").save(tmp_path / "cmyk.tif")
    assert np.abs(np.asarray(open_image(tmp_path / "cmyk.tif")).astype(int) - (200, 60, 40)).max() <= 2
    lab = Image.new("LAB", (WIDTH, HEIGHT), (137, 128, 128))  # L* 53.7 without colour: the grey 128 of sRGB
    lab.save(tmp_path / "lab.tif")
    assert np.abs(np.asarray(open_image(tmp_path / "lab.tif")).astype(int) - 128).max() <= 2


class TestSeveralPictures:
    def test_pages_of_a_tiff_are_refused_by_name_and_size(self, tmp_path, colours):
        first = Image.new("RGB", (10, 10))
        first.save(tmp_path / "pages.tif", save_all=True, append_images=[Image.fromarray(colours)])
        with pytest.raises(ImageError, match=r"2 pages \(10 x 10, 32 x 24\)") as caught:
            open_image(tmp_path / "pages.tif")
        assert caught.value.kind == "pages"

    def test_frames_of_a_png_are_refused(self, tmp_path, colours):
        frame = Image.fromarray(colours)
        frame.save(tmp_path / "moving.png", save_all=True, append_images=[frame.rotate(180)])
        with pytest.raises(ImageError, match="2 frames"):
            open_image(tmp_path / "moving.png")

    def test_a_thumbnail_in_front_is_no_page(self, tmp_path, colours):
        path = tmp_path / "thumb.tif"
        thumbnail = TiffImagePlugin.ImageFileDirectory_v2()
        thumbnail[254] = 1
        with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as file:
            Image.new("RGB", (10, 10)).save(file, "TIFF", tiffinfo=thumbnail)
            file.newFrame()
            Image.fromarray(colours).save(file, "TIFF")
        assert np.array_equal(np.asarray(open_image(path)), colours)

    def test_overviews_and_masks_are_no_pages(self, tmp_path, colours):
        path = write_raster(tmp_path / "overviews.tif", np.tile(colours.transpose(2, 0, 1), (1, 8, 8)), tiled=True)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as raster:
            raster.build_overviews([2, 4])
            raster.write_mask(np.full(raster.shape, 255, np.uint8))
        assert open_image(path).size == (8 * WIDTH, 8 * HEIGHT)


@pytest.mark.parametrize("extra", ["text", "profile", "both"])
def test_a_png_with_much_text_or_a_large_profile_is_sound(tmp_path, colours, extra):
    path, facts = tmp_path / "sound.png", PngImagePlugin.PngInfo()
    if extra != "profile":
        facts.add_text("notes", "x" * 3_000_000, zip=True)
    profile = {"icc_profile": bytes(3_000_000)} if extra != "text" else {}
    Image.fromarray(colours).save(path, pnginfo=facts, **profile)
    assert np.array_equal(np.asarray(open_image(path)), colours)


def test_a_png_with_much_text_behind_its_pixels_is_sound(tmp_path, colours):
    facts = PngImagePlugin.PngInfo()
    facts.add_text("notes", "x" * 3_000_000, zip=True)
    path = tmp_path / "sound.png"
    Image.fromarray(colours).save(path, pnginfo=facts)
    content = path.read_bytes()
    begin, pixels, end = content.index(b"zTXt") - 4, content.index(b"IDAT") - 4, content.index(b"IEND") - 4
    path.write_bytes(content[:begin] + content[pixels:end] + content[begin:pixels] + content[end:])
    assert np.array_equal(np.asarray(open_image(path)), colours)


def test_a_damaged_png_with_much_text_stays_damaged(tmp_path, colours):
    facts = PngImagePlugin.PngInfo()
    facts.add_text("notes", "x" * 3_000_000, zip=True)
    Image.fromarray(colours).save(tmp_path / "cut.png", pnginfo=facts)
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) - 900])
    with pytest.raises(ImageError, match="cannot be decoded"):
        open_image(tmp_path / "cut.png")


class TestDepth:
    """A stretch is for values of the depth that it was chosen for."""

    @pytest.fixture
    def folder(self, tmp_path, colours) -> Path:
        deep = colours.transpose(2, 0, 1).astype(np.uint16) * 40 + 500
        write_raster(tmp_path / "a_deep.tif", deep)
        write_raster(tmp_path / "b_flat.tif", colours.transpose(2, 0, 1))
        Image.fromarray(colours).save(tmp_path / "c_flat.png")
        Image.fromarray(colours).quantize(64).save(tmp_path / "d_palette.png")
        Image.fromarray(colours).quantize(64).save(tmp_path / "e_palette.tif")
        return tmp_path

    def test_8_bit_files_and_palettes_keep_their_values_beside_deeper_ones(self, folder, colours):
        recipe = suggest_recipe(folder / "a_deep.tif")
        assert recipe.depth == "integer"
        for name in ("b_flat.tif", "c_flat.png"):
            assert np.array_equal(np.asarray(open_image(folder / name, recipe)), colours)
        for name in ("d_palette.png", "e_palette.tif"):
            assert np.abs(np.asarray(open_image(folder / name, recipe)).astype(int) - colours).mean() < 40
        scan = scan_folder(folder, recipe=recipe)
        assert [problem.kind for problem in scan.problems] == ["near_copy"]  # five files of one picture
        assert list(scan.manifest["depth"]) == ["integer", "byte", "byte", "byte", "byte"]

    def test_a_recipe_that_blackens_a_picture_is_a_problem(self, folder):
        recipe = RenderingRecipe(low=(500.0,), high=(11000.0,))  # of a project that has no depth recorded
        problems = scan_folder(folder, recipe=recipe).problems
        told = {problem.path: problem.message for problem in problems if problem.kind == "blank"}
        assert set(told) == {"b_flat.tif", "c_flat.png"}
        assert all("Change the stretch" in message for message in told.values())

    def test_values_of_another_depth_are_refused_not_blackened(self, tmp_path, colours):
        shares = write_raster(tmp_path / "shares.tif", colours.transpose(2, 0, 1).astype(np.float32) / 255)
        with pytest.raises(ImageError, match="floating-point values, and the recipe's stretch is for integers"):
            open_image(shares, RenderingRecipe(low=(500.0,), high=(11000.0,), depth="integer"))

    def test_a_recipe_without_a_depth_is_written_as_it_always_was(self):
        before = '{"bands":null,"low":[1.0],"high":[9.0],"nodata":null,"nodata_colour":0}'
        assert RenderingRecipe(low=(1,), high=(9,)).model_dump_json() == before


class TestNothingToSee:
    @pytest.fixture
    def told(self, tmp_path, colours):
        def scan(name: str) -> str:
            result = scan_folder(tmp_path)
            assert list(result.manifest["path"]) == [name]  # it stays, so that a person can decide
            (problem,) = result.problems
            assert (problem.kind, problem.path) == ("blank", name)
            return problem.message

        return scan

    def test_all_no_data(self, tmp_path, told, colours):
        write_raster(tmp_path / "holes.tif", np.zeros((3, HEIGHT, WIDTH), np.uint8), nodata=0)
        assert "100 % of it is no data" in told("holes.tif")

    def test_nearly_all_no_data(self, tmp_path, told):
        values = np.zeros((3, 20, 20), np.uint8)
        values[:, 0, :3] = 9
        write_raster(tmp_path / "holes.tif", values, nodata=0)
        assert "99.25 % of it is no data" in told("holes.tif")

    def test_fully_transparent(self, tmp_path, told, colours):
        alpha = np.dstack([colours, np.zeros((HEIGHT, WIDTH), np.uint8)])
        Image.fromarray(alpha).save(tmp_path / "clear.png")
        assert "100 % of it is no data or transparent" in told("clear.png")

    def test_masked(self, tmp_path, told, colours):
        path = write_raster(tmp_path / "masked.tif", colours.transpose(2, 0, 1))
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as raster:
            raster.write_mask(np.zeros((HEIGHT, WIDTH), np.uint8))
        assert "100 %" in told("masked.tif")

    def test_one_colour(self, tmp_path, told):
        Image.new("RGB", (WIDTH, HEIGHT), (3, 60, 90)).save(tmp_path / "flat.png")
        assert "one colour" in told("flat.png")

    def test_one_pixel(self, tmp_path, told):
        Image.new("RGB", (1, 1), (3, 60, 90)).save(tmp_path / "dot.png")
        assert "single pixel" in told("dot.png")

    def test_a_night_scene_with_one_light_is_no_problem(self, tmp_path):
        night = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        night[4, 4] = 200
        Image.fromarray(night).save(tmp_path / "night.png")
        assert scan_folder(tmp_path).problems == []


def test_a_truncated_directory_is_told_as_damage(tmp_path, colours):
    path = write_raster(tmp_path / "cut.tif", colours.transpose(2, 0, 1))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_image(path, RenderingRecipe())

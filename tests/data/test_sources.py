"""Where images come from: a folder today, anything with two methods tomorrow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from avion_core.data.recipe import RenderingRecipe
from avion_core.data.sources import ImageFolder, Images, loose_files
from avion_core.errors import DataError
from avion_core.features.store import FeatureStore, image_features, prepare_images
from tests.tiny_clip import make_tiny_clip

RECIPE = RenderingRecipe()


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    (tmp_path / "sea").mkdir()
    PIL.Image.new("RGB", (8, 8), (10, 20, 30)).save(tmp_path / "sea" / "a.png")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return ImageFolder(tmp_path, {"a": "sea/a.png", "cut": "cut.png"})


def test_a_folder_opens_its_images_by_id(folder: ImageFolder) -> None:
    assert folder.open("a", RECIPE).getpixel((0, 0)) == (10, 20, 30)
    assert folder.open("a", RenderingRecipe(bands=(3, 2, 1))).getpixel((0, 0)) == (30, 20, 10)
    assert Images(["a", "a"], folder).files == [folder.root / "sea" / "a.png"] * 2
    assert Images(["a", "cut"], folder)[1:].ids == ["cut"]


def test_an_image_that_is_unknown_or_damaged_is_named(folder: ImageFolder) -> None:
    with pytest.raises(DataError, match=r"no longer in the project: b\. Scan the folder again"):
        folder.open("b", RECIPE)
    with pytest.raises(DataError, match=r"cut\.png"):
        folder.open("cut", RECIPE)
    (folder.root / "sea" / "a.png").unlink()
    with pytest.raises(DataError, match=r"sea/a\.png"):
        folder.open("a", RECIPE)


def test_loose_files_go_by_their_path(folder: ImageFolder) -> None:
    path = folder.root / "sea" / "a.png"
    found = loose_files([path])
    assert (found.ids, found.files) == ([str(path)], [path])
    assert found.source.open(str(path), RECIPE).size == (8, 8)


class Tiles:
    """A source that is no folder: windows of one picture, opened by their place in it."""

    embeddings = None

    def __init__(self, pixels: np.ndarray, side: int) -> None:
        self.pixels, self.side, self.opened = pixels, side, 0

    def open(self, image_id: str, recipe: RenderingRecipe) -> PIL.Image.Image:
        self.opened += 1
        top, left = (int(place) * self.side for place in image_id.split("-"))
        return PIL.Image.fromarray(self.pixels[top : top + self.side, left : left + self.side])

    def file(self, image_id: str) -> Path:
        raise DataError("a tile has no file", "Cut it out.", value=image_id)


def test_another_source_is_one_class_and_its_features_are_kept_alike(tmp_path: Path) -> None:
    raster = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    tiles, towers = Tiles(raster, 32), make_tiny_clip()
    store, ids = FeatureStore(tmp_path / "features"), ["0-0", "0-1", "1-1"]
    seen = image_features(towers, Images(ids, tiles), store, recipe=RECIPE, precision="float32")
    assert (len(seen), tiles.opened) == (3, 3)
    again = image_features(towers, Images(ids[::-1], tiles), store, recipe=RECIPE, precision="float32")
    assert tiles.opened == 3  # kept by id: nothing is opened again, so features that are given need no picture at all
    assert torch.equal(again, seen.flip(0))
    pixels = prepare_images(towers, Images(ids, tiles), recipe=RECIPE)
    torch.testing.assert_close(towers.encode_image(pixels), seen, atol=1e-6, rtol=0)

"""Pictures that a class would say little of: whole scenes, other bands, and what lies far from everything known."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avion_core.data.recipe import RenderingRecipe
from avion_core.usecases.insight.prediction import Predictions, predict
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from tests import tiny_studio
from tests.georeferenced import tile

pytestmark = pytest.mark.usefixtures("tiny_towers")
SCENE = Path(__file__).parents[2] / "fixtures" / "geotiff" / "RGB.byte.tif"


def trained(home, images: Path, texts: Path, **settings) -> str:
    project = create_project(home, images.name, images, defaults={**tiny_studio.DEFAULTS, **settings})
    import_descriptions(home, project.id, texts)
    run = create_run(home, project.id)
    run_here(home, run, threading.Event())
    return run


def odd(found: Predictions) -> list[str]:
    return found.table["odd"].tolist()


@pytest.fixture
def run(home, images, tmp_path) -> str:
    return trained(home, images, tiny_studio.make_descriptions(tmp_path / "texts.json"))


def test_a_scene_is_told_by_its_pixels_and_its_ground(home, run, images, tmp_path) -> None:
    Image.new("RGB", (161, 20)).save(tmp_path / "strip.png")  # the project's pictures have 40 x 40 pixels
    Image.new("RGB", (160, 160)).save(tmp_path / "finer.png")
    whole = tile(tmp_path / "whole.tif", 300, 150_000)
    files = [SCENE, whole, tmp_path / "strip.png", tmp_path / "finer.png", images / "beach" / "00.png"]
    found = predict(home, run, files)
    scene, large, strip, *others = odd(found)
    assert scene == (
        "It is georeferenced and shows 19.2 km x 19.2 km of ground, more than one scene perhaps: the project's images "
        "have no coordinates."
    )
    assert large.startswith(
        "It is too large for one scene: 300 x 300 pixels, where the project's images have at most 40 a side. It is "
        "georeferenced and shows 150 km x 150 km of ground"
    )
    assert "161 x 20 pixels" in strip
    assert others == ["", ""]
    assert found.table["class_key"].notna().all()  # the student's prediction stays in the table
    assert "takes 20 validation images" in found.far_limit  # and there are six


def test_tiles_with_coordinates_are_held_against_the_project_s_own_ground(home, run, tmp_path) -> None:
    """Without coordinates in the project, a tile as small as its images may well be one; a larger one is told."""
    same, larger = tile(tmp_path / "same.tif", 40, 400), tile(tmp_path / "larger.tif", 80, 800)
    of_same, of_larger = odd(predict(home, run, [same, larger]))
    assert of_same == ""
    assert of_larger.startswith("It is georeferenced and shows 800 m x 800 m of ground, more than one scene perhaps")
    for key in tiny_studio.CLASSES:
        for number in range(8):
            tile(tmp_path / "tiles" / key / f"{number}.tif", 30 + number, 640)
    run = trained(home, tmp_path / "tiles", tiny_studio.make_descriptions(tmp_path / "texts2.json"))
    narrow, wide = odd(predict(home, run, [larger, tile(tmp_path / "wide.tif", 36, 2000)]))
    assert narrow == ""
    assert "2.0 km x 2.0 km of ground, where the project's images show at most 640 m" in wide


def test_other_bands_than_the_recipe_was_made_for(home, tmp_path) -> None:
    for key in tiny_studio.CLASSES:
        for number in range(8):
            tile(tmp_path / "stacks" / key / f"{number}.tif", 30 + number, 300, bands=5)
    texts = tiny_studio.make_descriptions(tmp_path / "texts.json")
    project = create_project(
        home, "stacks", tmp_path / "stacks", defaults=tiny_studio.DEFAULTS, recipe=RenderingRecipe(bands=(3, 2, 1))
    )
    import_descriptions(home, project.id, texts)
    run = create_run(home, project.id)
    run_here(home, run, threading.Event())
    four, five = (tile(tmp_path / f"{bands}.tif", 30, 300, bands=bands) for bands in (4, 5))
    of_four, of_five = odd(predict(home, run, [four, five]))
    assert of_four == (
        "It has 4 bands, where the project's images have 5: bands 3, 2, 1 of the recipe may be other colours here."
    )
    assert of_five == ""


def test_what_lies_far_from_everything_known_is_told_with_its_limit(home, tmp_path) -> None:
    """Six classes of pictures are noise around a brown; stripes of black and white are like none of them."""
    draw = np.random.default_rng(0)
    keys = ("bare", "clay", "dune", "earth", "field", "gravel")
    for shade, key in enumerate(keys):
        (tmp_path / "browns" / key).mkdir(parents=True)
        for number in range(40):  # half are test images, and a fifth of the others validation
            pixels = np.array((150 + 4 * shade, 110, 70)) + draw.integers(-20, 20, (40, 40, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "browns" / key / f"{number:02d}.png")
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[::8], stripes[1::8], stripes[2::8], stripes[3::8] = 255, 255, 255, 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    run = trained(
        home,
        tmp_path / "browns",
        tiny_studio.make_descriptions(tmp_path / "texts.json", keys),
        data={"shots": 4},
    )
    new = tmp_path / "new.png"
    Image.fromarray((np.array((155, 110, 70)) + draw.integers(-20, 20, (40, 40, 3))).astype(np.uint8)).save(new)
    found = predict(home, run, [tmp_path / "stripes.png", new])
    far, near = odd(found)
    assert far.startswith("It is far from everything known: its nearest image of the project is at a distance of")
    assert near == ""
    assert "each of 24 validation images held against all others" in found.far_limit
    assert "of 48 images of the project" in found.far_limit

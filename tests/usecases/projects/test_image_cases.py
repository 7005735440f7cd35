"""What a folder seems to hold before it is a project, and how its pictures are rendered afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from avion_core.data.catalog import DATA_SETS
from avion_core.data.recipe import RenderingRecipe
from avion_core.errors import DataError, NotFoundError
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.images import image_path, image_table, look_into, set_recipe
from avion_core.usecases.projects.summaries import get_project, read_splits
from tests.acting import by

RASTERS = Path(__file__).parents[2] / "fixtures" / "geotiff"


def test_class_folders_are_found_where_an_archive_has_them(home, images, tmp_path):
    inner = tmp_path / "UCMerced_LandUse" / "Images"
    shutil.copytree(images, inner)
    look = look_into(home, tmp_path / "UCMerced_LandUse")
    assert (look.root, look.pictures, look.classes) == (inner, 24, ("beach", "forest", "golfcourse"))
    assert (look.bands, look.recipe, look.data_set) == (3, None, "")
    assert len(look.samples) == 4
    assert len({sample.parent for sample in look.samples}) == 3  # spread over the folder


def test_a_published_data_set_is_recognized_by_its_classes(home, images, tmp_path):
    picture = next(images.rglob("*.png"))
    for name in DATA_SETS["whu-rs19"].classes:
        (tmp_path / name.upper()).mkdir()
        shutil.copy(picture, tmp_path / name.upper() / "1.png")
    assert look_into(home, tmp_path).data_set == "whu-rs19"


def test_a_label_table_is_found_where_it_is_the_only_one_that_labels_the_pictures(home, images):
    rows = [f"{path.relative_to(images)},{path.parent.name}" for path in sorted(images.rglob("*.png"))]
    assert look_into(home, images).label_table is None
    (images / "notes.csv").write_text("path,label\nelsewhere.png,beach\n", encoding="utf-8")
    (images / "texts.jsonl").write_text('{"class": "beach", "text": "A beach."}\n', encoding="utf-8")
    (images / "names.csv").write_text("path,label\n" + "".join(f"{row.split(',')[0]},\n" for row in rows), "utf-8")
    assert look_into(home, images).label_table is None  # of other pictures, of something else, without a label
    table = images / "labels.csv"
    table.write_text("\n".join(["path,label", *rows[:20]]), encoding="utf-8")
    assert look_into(home, images).label_table == table
    shutil.copy(table, images / "again.csv")
    assert look_into(home, images).label_table is None  # nobody can tell which


def test_rasters_that_need_a_recipe_get_one_suggested(home, tmp_path):
    shutil.copy(RASTERS / "RGB.byte.tif", tmp_path / "a.tif")
    shutil.copy(RASTERS / "mosaic_cog1.tif", tmp_path / "b.tif")
    look = look_into(home, tmp_path)
    assert look.recipe is not None
    assert look.recipe.low == (6254.0, 6942.0, 8283.0)
    with pytest.raises(DataError, match=r"folder does not exist: .*nowhere"):
        look_into(home, tmp_path / "nowhere")


def test_every_image_is_in_one_part(home, project):
    table = image_table(home, project.id)
    assert table["part"].value_counts().to_dict() == {"test": 12, "train": 9, "validation": 3}
    shots = read_splits(home, project.id).train[1]["beach"]
    placed = table[(table["class_key"] == "beach") & (table["place"] > 0)].sort_values("place")
    assert tuple(placed["image_id"]) == shots
    assert image_path(home, project.id, shots[0]) == Path(placed["path"].iloc[0])
    assert image_path(home, project.id, shots[0]).is_file()
    with pytest.raises(NotFoundError, match=r"no such image: nowhere"):
        image_path(home, project.id, "nowhere")


def test_a_recipe_that_cannot_render_the_pictures_is_refused(home, tmp_path):
    for name in ("a", "b"):
        shutil.copy(RASTERS / "RGB.byte.tif", tmp_path / f"{name}.tif")
    with (tmp_path / "b.tif").open("ab") as file:
        file.write(b"\0")  # another content
    project = create_project(home, "rasters", tmp_path)
    with pytest.raises(DataError):
        set_recipe(home, project.id, RenderingRecipe(bands=(7, 2, 1)))
    assert get_project(home, project.id).recipe == RenderingRecipe()
    set_recipe(by("Ada", home), project.id, RenderingRecipe(bands=(3, 2, 1)))
    assert get_project(home, project.id).recipe.bands == (3, 2, 1)

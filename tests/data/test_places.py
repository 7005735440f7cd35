"""Where images were taken: from tables, GeoTIFFs and photos; and blocks of ground of one size everywhere."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from avion_core.data.places import Place, blocks, place_of, read_places
from avion_core.errors import DataError

RASTERS = Path(__file__).parents[1] / "fixtures" / "geotiff"


def photo(file: Path, latitude: tuple[float, ...], longitude: tuple[float, ...], sides: str = "NE") -> None:
    picture = Image.new("RGB", (16, 16))
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: sides[0], 2: latitude, 3: sides[1], 4: longitude})
    picture.save(file, exif=exif)


def raster(file: Path, crs: str | None, left: float, top: float, pixel: float) -> None:
    facts = {"driver": "GTiff", "width": 10, "height": 10, "count": 1, "dtype": "uint8", "crs": crs}
    with rasterio.open(file, "w", **facts, transform=from_origin(left, top, pixel, pixel)) as out:
        out.write(np.zeros((1, 10, 10), np.uint8))


def kilometres(one: Place, other: Place) -> float:
    """Great circle distance, by hand."""
    a, b, c, d = map(math.radians, (*one, *other))
    h = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(h))


@pytest.mark.parametrize("suffix", ["jpg", "jpeg"])
@pytest.mark.parametrize(
    ("sides", "right"), [("NE", (47.5, 8.25)), ("SE", (-47.5, 8.25)), ("NW", (47.5, -8.25)), ("SW", (-47.5, -8.25))]
)
def test_photos_say_it_in_their_exif_data(tmp_path, suffix, sides, right):
    file = tmp_path / f"a.{suffix}"
    photo(file, (47.0, 30.0, 0.0), (8.0, 0.0, 900.0), sides)
    assert place_of(file) == pytest.approx(right)


@pytest.mark.parametrize(
    ("crs", "left", "top", "pixel", "right"),
    [
        ("EPSG:4326", 8.0, 47.0, 0.1, (46.5, 8.5)),
        ("EPSG:32632", 500_000.0, 5_200_000.0, 100.0, (46.9475, 9.00657)),  # zone 32 is centred on 9 E
        ("EPSG:3857", 0.0, 0.0, 1000.0, (-0.0449, 0.0449)),
        ("EPSG:4326", 359.0, 10.0, 0.1, (9.5, -0.5)),
    ],
)
def test_georeferenced_rasters_say_it_by_their_middle(tmp_path, crs, left, top, pixel, right):
    raster(tmp_path / "a.tif", crs, left, top, pixel)
    assert place_of(tmp_path / "a.tif") == pytest.approx(right, abs=2e-3)


def test_a_real_scene_lies_where_it_lies():
    place = place_of(RASTERS / "RGB.byte.tif")
    assert place is not None
    assert kilometres(place, Place(24.6, -77.8)) < 150  # the Bahamas


def test_what_says_nothing_is_left_out(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.jpg")
    photo(tmp_path / "zero.jpg", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    photo(tmp_path / "short.jpg", (47.0,), (8.0, 0.0, 0.0))
    photo(tmp_path / "far.jpg", (97.0, 0.0, 0.0), (8.0, 0.0, 0.0))
    raster(tmp_path / "no crs.tif", None, 8.0, 47.0, 0.1)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (tmp_path / "broken.tif").write_bytes(b"II*\0 no picture")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert read_places(tmp_path, names) == {}


@pytest.mark.parametrize("columns", ["lat,lon", "Latitude,Longitude", "lat,lng"])
def test_a_table_says_it_before_the_files_do(tmp_path, columns):
    photo(tmp_path / "a.jpg", (1.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    table = tmp_path / "labels.csv"
    table.write_text(f"path,label,{columns}\na.jpg,x,47.5,8.25\nb.jpg,x,,\n./é.jpg,x,-1.5,190\n", encoding="utf-8")
    found = read_places(tmp_path, ["a.jpg", "b.jpg", "e\u0301.jpg"], table)
    assert found == {"a.jpg": (47.5, 8.25), "e\u0301.jpg": (-1.5, -170.0)}
    table.write_text("path,label\na.jpg,x\n")
    assert read_places(tmp_path, ["a.jpg"], table) == {"a.jpg": (1.0, 1.0)}


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_the_table_of_an_image_folder_says_it_too(tmp_path, name):
    rows = pd.DataFrame(
        {"file_name": ["a.jpg", "b.jpg"], "label": ["x", "x"], "Lat": [47.5, None], "lon": [8.25, None]}
    )
    if name.endswith("csv"):
        rows.to_csv(tmp_path / name, index=False)
    elif name.endswith("jsonl"):
        rows.to_json(tmp_path / name, orient="records", lines=True)
    else:
        rows.to_parquet(tmp_path / name)
    assert read_places(tmp_path, ["a.jpg", "b.jpg"], tmp_path / name) == {"a.jpg": (47.5, 8.25)}


@pytest.mark.parametrize("position", ["91,8", "47,400", "north,8", "47,", "inf,0"])
def test_a_position_that_is_none_is_named(tmp_path, position):
    (tmp_path / "labels.csv").write_text(f"path,label,lat,lon\na.jpg,x,{position}\n")
    with pytest.raises(DataError, match="position that is none") as raised:
        read_places(tmp_path, ["a.jpg"], tmp_path / "labels.csv")
    assert position.split(",")[0] in str(raised.value)


@pytest.mark.parametrize("latitude", [0.0, 47.0, -33.0, 69.0])
def test_blocks_are_square_on_the_ground_and_of_one_size(latitude):
    """Of two images in one block none is farther than its diagonal; most that are near lie in one block."""
    rng = random.Random(1)
    wide = 0.3 / math.cos(math.radians(latitude))
    places = {str(number): Place(latitude + rng.uniform(0, 0.3), 7.0 + rng.uniform(0, wide)) for number in range(300)}
    named, side = blocks(places, 5.0)
    assert side == 5.0
    pairs = [(a, b, kilometres(places[a], places[b])) for a in places for b in places if a < b]
    assert max(apart for a, b, apart in pairs if named[a] == named[b]) <= 5.0 * math.sqrt(2) * 1.01
    near = [named[a] == named[b] for a, b, apart in pairs if apart < 0.5]
    assert sum(near) > 0.75 * len(near)
    assert 36 <= len(set(named.values())) <= 64  # 33 km are 6.7 blocks


def test_a_gapless_mosaic_has_about_ten_images_in_a_block():
    tile = 0.256  # km
    places = {
        f"{row}-{column}": Place(50 + row * tile / 111.32, 10 + column * tile / (111.32 * math.cos(math.radians(50))))
        for row in range(30) for column in range(30)
    }  # fmt: skip
    named, side = blocks(places)
    assert side == pytest.approx(math.sqrt(10) * tile, rel=0.02)
    assert 8 <= 900 / len(set(named.values())) <= 12


@pytest.mark.parametrize("places", [[(0.0, 10.0)], [(0.0, 10.0)] * 3, [(0.0, 10.0), (50.0, -100.0), (-80.0, 170.0)]])
def test_few_and_distant_images_have_blocks_of_twenty_kilometres(places):
    assert blocks({str(number): Place(*place) for number, place in enumerate(places)})[1] == 20.0


@pytest.mark.parametrize("side", [0.0, -1.0, math.inf, math.nan])
def test_a_side_that_is_none_is_refused(side):
    with pytest.raises(DataError, match="side of a block"):
        blocks({"a": Place(1.0, 1.0)}, side)

"""The eight public data sets of the paper, as facts: classes, sizes, layout, licence, source.

Folder names are those of the published archives. Nothing is downloaded here; a person brings the folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DataSetEntry:
    """One published data set."""

    name: str
    """Key in DATA_SETS."""
    title: str
    """As people write it."""
    task: Literal["classification", "retrieval"]
    """Either "classification" (class folders) or "retrieval" (one caption file)."""
    images: int
    """Number of images."""
    image_size: int
    """Side in pixels."""
    layout: str
    """Where images and labels or captions lie in the published archive."""
    classes: tuple[str, ...]
    """Folder names of the classes; () for retrieval."""
    splits: tuple[tuple[str, int], ...]
    """Images in the official split; () where there is none."""
    licence: str
    """Terms as far as the publishers state them."""
    source: str
    """Who published it, and when."""


_AID = """
    Airport BareLand BaseballField Beach Bridge Center Church Commercial DenseResidential Desert Farmland Forest
    Industrial Meadow MediumResidential Mountain Park Parking Playground Pond Port RailwayStation Resort River School
    SparseResidential Square Stadium StorageTanks Viaduct
"""
_RESISC45 = """
    airplane airport baseball_diamond basketball_court beach bridge chaparral church circular_farmland cloud
    commercial_area dense_residential desert forest freeway golf_course ground_track_field harbor industrial_area
    intersection island lake meadow medium_residential mobile_home_park mountain overpass palace parking_lot railway
    railway_station rectangular_farmland river roundabout runway sea_ice ship snowberg sparse_residential stadium
    storage_tank tennis_court terrace thermal_power_station wetland
"""
_EUROSAT = """
    AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake
"""
_WHU_RS19 = """
    Airport Beach Bridge Commercial Desert Farmland Forest Industrial Meadow Mountain Park Parking Pond Port
    Residential River Viaduct footballField railwayStation
"""
_PATTERNNET = """
    airplane baseball_field basketball_court beach bridge cemetery chaparral christmas_tree_farm closed_road
    coastal_mansion crosswalk dense_residential ferry_terminal football_field forest freeway golf_course harbor
    intersection mobile_home_park nursing_home oil_gas_field oil_well overpass parking_lot parking_space railway river
    runway runway_marking shipping_yard solar_panel sparse_residential storage_tank swimming_pool tennis_court
    transformer_station wastewater_treatment_plant
"""
_UC_MERCED = """
    agricultural airplane baseballdiamond beach buildings chaparral denseresidential forest freeway golfcourse harbor
    intersection mediumresidential mobilehomepark overpass parkinglot river runway sparseresidential storagetanks
    tenniscourt
"""


def _classification(
    name: str, title: str, classes: str, images: int, image_size: int, layout: str, licence: str, source: str
) -> DataSetEntry:
    names = tuple(classes.split())
    return DataSetEntry(name, title, "classification", images, image_size, layout, names, (), licence, source)


_ENTRIES = (
    _classification(
        "aid", "AID", _AID, 10_000, 600, "CLASS/class_N.jpg, 220 to 420 a class",
        "academic use; images from Google Earth", "Xia et al., 2017",
    ),
    _classification(
        "resisc45", "NWPU-RESISC45", _RESISC45, 31_500, 256, "CLASS/class_NNN.jpg, 700 a class",
        "research use; images from Google Earth", "Cheng, Han and Lu, 2017",
    ),
    _classification(
        "eurosat", "EuroSAT (RGB)", _EUROSAT, 27_000, 64, "CLASS/Class_N.jpg, 2,000 to 3,000 a class",
        "MIT; contains modified Copernicus Sentinel data", "Helber et al., 2019",
    ),
    _classification(
        "whu-rs19", "WHU-RS19", _WHU_RS19, 1_005, 600, "CLASS/class_NN.jpg, about 50 a class",
        "academic use; images from Google Earth", "Xia et al., 2010; Dai and Yang, 2011",
    ),
    _classification(
        "patternnet", "PatternNet", _PATTERNNET, 30_400, 256, "images/CLASS/classNNN.jpg, 800 a class",
        "research use; images from Google Earth and Google Maps", "Zhou et al., 2018",
    ),
    _classification(
        "ucmerced", "UC Merced Land Use", _UC_MERCED, 2_100, 256, "Images/CLASS/classNN.tif, 100 a class",
        "images in the public domain (USGS National Map Urban Area Imagery)", "Yang and Newsam, 2010",
    ),
    DataSetEntry(
        "rsitmd", "RSITMD", "retrieval", 4_743, 256, "images/class_N.tif and one caption JSON, 5 captions an image", (),
        (("train", 4_291), ("test", 452)), "research use", "Yuan et al., 2021",
    ),
    DataSetEntry(
        "rsicd", "RSICD", "retrieval", 10_921, 224, "one folder and one caption JSON, 5 captions an image", (),
        (("train", 8_734), ("validation", 1_094), ("test", 1_093)), "research use", "Lu et al., 2018",
    ),
)  # fmt: skip

DATA_SETS: dict[str, DataSetEntry] = {entry.name: entry for entry in _ENTRIES}

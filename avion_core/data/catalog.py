"""The eight public data sets of the paper, as facts: classes, sizes, layout, licence, source, and where to get them.

Folder names are those of the published archives. What is not known is left out: a data set without `hub` has no
archive that was checked, and is brought by hand. `data.data_sets` verifies folders and fetches archives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from avion_core.errors import NotFoundError


@dataclass(frozen=True)
class HubArchive:
    """An archive on the Hugging Face hub, at one revision."""

    repository: str
    """A data set repository: "torchgeo/eurosat"."""
    revision: str
    """A commit: what is fetched never changes."""
    file: str
    """A ZIP archive."""
    digest: str
    """Its hash as known from elsewhere, with the algorithm: "md5:...", "sha256:..."."""
    known_from: str
    """Who states address and hash."""
    folder: str
    """Where the class folders lie in it."""


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
    page: str
    """The publisher's page."""
    per_class: tuple[int, int] | None = None
    """Fewest and most images of a class; None for retrieval."""
    kit: str = ""
    """The archive of it in the benchmark kit KIT; "" where that has none."""
    hub: HubArchive | None = None
    """An archive that `avion datasets get` fetches; None where none is known."""


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


KIT = "https://github.com/wangzhecheng/SkyScript"
"""The benchmark kit of SkyScript (code MIT): archives with class names and lists of images and texts."""
_KIT_FILES = "https://opendatasharing.s3.us-west-2.amazonaws.com/SkyScript/benchmark/"

_ENTRIES = (
    DataSetEntry(
        "aid", "AID", "classification", 10_000, 600, "CLASS/class_N.jpg, 220 to 420 a class", tuple(_AID.split()), (),
        "academic use; images from Google Earth", "Xia et al., 2017", "https://captain-whu.github.io/AID/",
        (220, 420), f"{_KIT_FILES}aid.zip",
    ),
    DataSetEntry(
        "resisc45", "NWPU-RESISC45", "classification", 31_500, 256, "CLASS/class_NNN.jpg, 700 a class",
        tuple(_RESISC45.split()), (), "research use; images from Google Earth", "Cheng, Han and Lu, 2017",
        "https://gcheng-nwpu.github.io/#Datasets", (700, 700), f"{_KIT_FILES}nwpu.zip",
        HubArchive(
            "torchgeo/resisc45", "a826b44d938a883185f11ebe3d512d38b464312f", "NWPU-RESISC45.zip",
            "md5:75206b2e16446591afa88e2628744886", "torchgeo", "NWPU-RESISC45",
        ),
    ),
    DataSetEntry(
        "eurosat", "EuroSAT (RGB)", "classification", 27_000, 64, "CLASS/Class_N.jpg, 2,000 to 3,000 a class",
        tuple(_EUROSAT.split()), (), "MIT; contains modified Copernicus Sentinel data", "Helber et al., 2019",
        "https://github.com/phelber/EuroSAT", (2_000, 3_000), f"{_KIT_FILES}eurosat.zip",
        HubArchive(
            "torchgeo/eurosat", "c877bcd43f099cd0196738f714544e355477f3fd", "EuroSAT.zip",
            "md5:c8fa014336c82ac7804f0398fcb19387", "torchvision", "2750",
        ),
    ),
    DataSetEntry(
        "whu-rs19", "WHU-RS19", "classification", 1_005, 600, "CLASS/class_NN.jpg, 50 to 61 a class",
        tuple(_WHU_RS19.split()), (), "academic use; images from Google Earth",
        "Xia et al., 2010; Dai and Yang, 2011", "https://captain-whu.github.io/BED4RS/", (50, 61),
    ),
    DataSetEntry(
        "patternnet", "PatternNet", "classification", 30_400, 256, "images/CLASS/classNNN.jpg, 800 a class",
        tuple(_PATTERNNET.split()), (), "research use; images from Google Earth and Google Maps",
        "Zhou et al., 2018", "https://sites.google.com/view/zhouwx/dataset", (800, 800), f"{_KIT_FILES}patternnet.zip",
        HubArchive(
            "torchgeo/PatternNet", "2dbd901b00e301967a5c5146b25454f5d3455ad0", "PatternNet.zip",
            "sha256:456dd031950b0429518b8ec7d30a5c4b3f6456261ee1dd573a3eee43efb29958", "torchgeo", "PatternNet/images",
        ),
    ),
    DataSetEntry(
        "ucmerced", "UC Merced Land Use", "classification", 2_100, 256, "Images/CLASS/classNN.tif, 100 a class",
        tuple(_UC_MERCED.split()), (), "images in the public domain (USGS National Map Urban Area Imagery)",
        "Yang and Newsam, 2010", "http://weegee.vision.ucmerced.edu/datasets/landuse.html", (100, 100), "",
        HubArchive(
            "torchgeo/ucmerced", "7c5ef3454d9b1cccfa7ccde0c01fc8f00a45909a", "UCMerced_LandUse.zip",
            "sha256:06c539ef28703a58fb07bd2837991ac7c48b813b00bb12ac197efd813a18daeb", "torchgeo",
            "UCMerced_LandUse/Images",
        ),
    ),
    DataSetEntry(
        "rsitmd", "RSITMD", "retrieval", 4_743, 256, "images/class_N.tif and one caption JSON, 5 captions an image", (),
        (("train", 4_291), ("test", 452)), "research use", "Yuan et al., 2021",
        "https://github.com/xiaoyuan1996/AMFMN", None, f"{_KIT_FILES}RSITMD.zip",
    ),
    DataSetEntry(
        "rsicd", "RSICD", "retrieval", 10_921, 224, "one folder and one caption JSON, 5 captions an image", (),
        (("train", 8_734), ("validation", 1_094), ("test", 1_093)), "research use", "Lu et al., 2018",
        "https://github.com/201528014227051/RSICD_optimal", None, f"{_KIT_FILES}RSICD.zip",
    ),
)  # fmt: skip

DATA_SETS: dict[str, DataSetEntry] = {entry.name: entry for entry in _ENTRIES}


def find_data_set(name: str) -> DataSetEntry:
    """The data set with a name.

    Raises:
        NotFoundError: the catalog has none.
    """
    if name not in DATA_SETS:
        raise NotFoundError("there is no such data set", f"Choose one of: {', '.join(DATA_SETS)}.", value=name)
    return DATA_SETS[name]

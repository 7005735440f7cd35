"""Data sets on disk: scan, safe decoding, class names, splits, captions, and the catalog of eight."""

from avion_core.data.captions import Captions, read_captions
from avion_core.data.catalog import DATA_SETS, DataSetEntry
from avion_core.data.class_names import name_collisions, prompt_name, prompt_names
from avion_core.data.drawing import make_splits
from avion_core.data.images import content_id, open_image
from avion_core.data.problems import ImageError, Problem
from avion_core.data.recipe import RenderingRecipe, suggest_recipe
from avion_core.data.scan import Scan, scan_folder
from avion_core.data.splits import Splits, base_and_novel, undrawn
from avion_core.progress import Progress

__all__ = [
    "DATA_SETS",
    "Captions",
    "DataSetEntry",
    "ImageError",
    "Problem",
    "Progress",
    "RenderingRecipe",
    "Scan",
    "Splits",
    "base_and_novel",
    "content_id",
    "make_splits",
    "name_collisions",
    "open_image",
    "prompt_name",
    "prompt_names",
    "read_captions",
    "scan_folder",
    "suggest_recipe",
    "undrawn",
]

"""The tiny project that the methods' tests share."""

from __future__ import annotations

import pandas as pd
import pytest

from avion_core.data.drawing import make_splits
from avion_core.data.project import ProjectData
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.scan import scan_folder
from avion_core.data.sources import ImageFolder
from tests import tiny_studio
from tests.methods.tiny_task import NAMES


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectData:
    root = tiny_studio.make_images(tmp_path_factory.mktemp("project") / "scenes", per_class=10)
    manifest = scan_folder(root).manifest
    rows = [
        {"description_id": f"{key}-{i}", "class_key": key, "text": text.format(name)}
        | {"verdict": "undecided", "writer": "w"}
        for key, name in NAMES.items()
        for i, text in enumerate(tiny_studio.TEXTS)
    ]
    splits = make_splits(manifest, dataset="tiny")
    source = ImageFolder(root, dict(zip(manifest["image_id"], manifest["path"], strict=True)))
    return ProjectData("tiny", source, manifest, splits, RenderingRecipe(), NAMES, pd.DataFrame(rows))


@pytest.fixture(autouse=True)
def one_precision(float32_on_any_processor: None) -> None:
    """What is compared to 1e-4 here is of one precision."""

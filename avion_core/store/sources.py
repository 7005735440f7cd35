"""Where a project's images lie now. Runs keep ids alone, so that they follow when images move."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from avion_core import bundled
from avion_core.data.sources import ImageFolder, ImageSource
from avion_core.errors import NotFoundError
from avion_core.store import projects as rows
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.tables import Project


def image_source(home: Home, project: str) -> ImageSource:
    """The source of a project's images, by its name or id.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        row = rows.find_project(session, project)
        root = image_root(row)
    manifest = pd.read_parquet(home.project_folder(row.id) / "manifest.parquet", columns=["image_id", "path"])
    return ImageFolder(root, dict(zip(manifest["image_id"], manifest["path"], strict=True)))


def image_root(project: Project) -> Path:
    """The folder of a project's images.

    A bundled demo's moves with the package: where it is not in its old place, it is found in the package as it is
    installed now.
    """
    root = Path(project.image_root)
    if root.is_dir() or root.parts[-3:-2] != ("demo",):
        return root
    try:
        of_package = bundled.demo_folder().joinpath(*root.parts[-2:])
    except NotFoundError:
        return root
    return of_package if of_package.is_dir() else root

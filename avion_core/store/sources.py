"""Where a project's images lie now. Runs keep ids alone, so that they follow when images move."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from avion_core import bundled
from avion_core.backbones.catalog import is_given
from avion_core.data.sources import ImageFolder, ImageSource, NoPictures
from avion_core.errors import NotFoundError
from avion_core.reading import Subject, read_parquet
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.tables import Project

MANIFEST = "manifest.parquet"
EMBEDDINGS = "embeddings"
"""In a project's folder: what its pack said of its images. Other projects never see it."""
RESTORE = "Restore the project's folder from a copy, or unpack the project again."
_IMAGES = Subject("the project's list of images", hint=RESTORE)
_COLUMNS = ("image_id", "path", "label", "group", "split")


def image_source(home: Home, project: str) -> ImageSource:
    """The source of a project's images, by its name or id.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        root, given = image_root(row), is_given(row.teacher)
    manifest = scanned_images(home, row.id, ["image_id", "path"])
    paths = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    if given:
        return NoPictures(paths)
    embeddings = home.project_folder(row.id) / EMBEDDINGS
    return ImageFolder(root, paths, embeddings if embeddings.is_dir() else None)


def scanned_images(home: Home, project_id: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A project's images as they were scanned (see `data.scan`), whatever labels were given since.

    Raises:
        DataError: the file is missing or damaged; it is named.
    """
    file = home.project_folder(project_id) / MANIFEST
    table = read_parquet(file, _IMAGES, columns)
    if lacking := [name for name in columns or _COLUMNS if name not in table]:
        raise _IMAGES.refused(f"lacks the column {lacking[0]}", value=str(file))
    return table


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

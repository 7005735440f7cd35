"""Which images are neighbours, told in the way that a project's maker chose (docs/method.md section 7)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from avion_core.data.neighbours import grouped, said_of_groups, series_of
from avion_core.data.places import blocks, read_places
from avion_core.data.problems import Problem
from avion_core.data.recipe import RenderingRecipe
from avion_core.data.sources import ImageFolder, Images
from avion_core.data.splits import KeepTogether
from avion_core.errors import DataError
from avion_core.progress import Progress
from avion_core.store.home import Home
from avion_core.usecases.folders import nameable
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.wording import counted


@use_case
def keep_neighbours(
    home: Home,
    manifest: pd.DataFrame,
    root: Path,
    together: KeepTogether,
    *,
    labels: Path | None,
    recipe: RenderingRecipe,
    teacher: str,
    block_km: float | None = None,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, list[Problem], str]:
    """A scan's manifest with neighbours in groups, what is to be known of it, and a sentence on what was done.

    Args:
        labels: the label table of the scan; it may say where images were taken.
        block_km: side of the blocks of ground in km, with `place`; None chooses it (see `places.blocks`).

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: `features`, and the teacher is not installed.
        DataError: `place`, and no image says where it was taken, or a position is none.
    """
    root = nameable(home.actor, root)
    labels = None if labels is None else nameable(home.actor, labels)
    paths = manifest["path"].tolist()
    problems: list[Problem] = []
    more = ""
    if together == "series":
        sets = [series_of(path) for path in paths]
    elif together == "place":
        places = read_places(root, paths, labels, progress)
        if not places:
            raise DataError(
                "no image says where it was taken",
                "Give columns lat and lon in the label table, GeoTIFFs or photos with GPS positions, or keep "
                "neighbours together in another way.",
                value=str(root),
            )
        named, side = blocks(places, block_km)
        sets = [named.get(path, "") for path in paths]
        more = f" Blocks of ground are {side:.3g} km wide."
        if lacking := [path for path in paths if path not in places]:
            said = f"{counted(len(lacking), 'image does', 'images do')} not say where they were taken: their neighbours"
            problems.append(Problem("no_place", lacking[0], f"{said} may be on the other side of a split."))
    else:
        sets = _alike(home, manifest, root, recipe, teacher, progress)
    manifest, told = grouped(manifest, sets, together)
    return manifest, problems + told, said_of_groups(manifest, together) + more


def _alike(
    home: Home, manifest: pd.DataFrame, root: Path, recipe: RenderingRecipe, teacher: str, progress: Progress | None
) -> list[str]:
    from avion_core.features.likeness import alike
    from avion_core.features.store import image_features

    ids = manifest["image_id"].tolist()
    source = ImageFolder(root, dict(zip(ids, manifest["path"], strict=True)))
    seen = image_features(
        open_towers(home, teacher), Images(ids, source), home.features, recipe=recipe, progress=progress
    )
    return alike(seen.numpy(), manifest["label"].tolist(), manifest["split"].tolist(), ids)

"""The pictures of a review pack: thumbnails of the shots and validation images, never of the sealed test set."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import pandas as pd
from PIL.Image import Image

from avion_core.data.splits import Splits
from avion_core.progress import Progress
from avion_core.store.home import Home
from avion_core.store.sources import image_source
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import ProjectSummary, read_manifest, read_splits

THUMBNAIL_PIXELS = 256


@dataclass(frozen=True)
class Picture:
    image_id: str
    content: bytes

    @property
    def name(self) -> str:
        return f"{self.image_id}.jpg"


@use_case
def shots_of(home: Home, summary: ProjectSummary, keys: set[str]) -> dict[str, list[str]]:
    """Class key -> its training shots, under the project's settings."""
    data = run_config(home, summary.id).data
    found = read_splits(home, summary.id).shots(data.seed, data.shots)
    return {key: list(images) for key, images in found.items() if key in keys}


@use_case
def pictures_of(
    home: Home, summary: ProjectSummary, keys: set[str], progress: Progress | None
) -> tuple[dict[str, Picture], pd.DataFrame, Splits]:
    """Thumbnails of the labelled shots and validation images of some classes, with the manifest and split of these.

    An image that cannot be read is left out. The sealed test set stays at home.
    """
    data = run_config(home, summary.id).data
    shots = shots_of(home, summary, keys)
    held_out = read_splits(home, summary.id).validation_images(data.seed, data.shots)
    validation = {key: list(images) for key, images in held_out.items() if key in keys}
    wanted = [image for part in (shots, validation) for images in part.values() for image in images]
    manifest = read_manifest(home, summary.id).set_index("image_id", drop=False).loc[wanted]
    pictures: dict[str, Picture] = {}
    source = image_source(home, summary.id)
    for done, image_id in enumerate(manifest["image_id"], start=1):
        pictures[image_id] = _thumbnail(source.open(image_id, summary.recipe), image_id)
        if progress is not None:
            progress(done, len(manifest), "making thumbnails")
    renamed = {image_id: picture.image_id for image_id, picture in pictures.items()}
    in_validation = {image for images in validation.values() for image in images}
    manifest = manifest.assign(
        image_id=[renamed[image] for image in manifest["image_id"]],
        path=[pictures[image].name for image in manifest["image_id"]],
        bytes=[len(pictures[image].content) for image in manifest["image_id"]],
        split=["validation" if image in in_validation else "train" for image in manifest["image_id"]],
        bands=3,
    ).reset_index(drop=True)
    splits = Splits(
        test=(),
        validation={data.seed: {key: tuple(renamed[image] for image in found) for key, found in validation.items()}},
        train={data.seed: {key: tuple(renamed[image] for image in found) for key, found in shots.items()}},
        max_shots=read_splits(home, summary.id).max_shots,
    )
    return pictures, manifest, splits


def _thumbnail(picture: Image, image_id: str) -> Picture:
    picture.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    stream = io.BytesIO()
    # The comment keeps two images apart whose thumbnails look the same.
    picture.save(stream, format="JPEG", quality=88, comment=image_id)
    content = stream.getvalue()
    return Picture(hashlib.sha256(content).hexdigest()[:32], content)

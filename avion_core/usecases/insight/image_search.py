"""Search: a project's images by words or by another picture, as its teacher or a run's student sees them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from avion_core.data.sources import Images, loose_files
from avion_core.errors import DataError
from avion_core.features.store import image_features
from avion_core.progress import Progress
from avion_core.protocols.predict import embed_images
from avion_core.reading import Subject, refuse_mark
from avion_core.store.home import Home
from avion_core.store.sources import image_source
from avion_core.usecases.insight.classifiers import open_student
from avion_core.usecases.insight.prediction import Uploads
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from avion_core.usecases.projects.without_pictures import refuse_new_pictures
from avion_core.usecases.runs.trained import student_run

SEARCHED = ("image_id", "path", "class_key", "score")
"""Columns of `Search.table`."""


@dataclass(frozen=True)
class Search:
    """Images by how well they fit what was asked for."""

    table: pd.DataFrame
    """Columns image_id, path, class_key, score (cosine); the best first."""
    searched: int
    """How many images were looked at."""
    sealed: int
    """How many test images were left out."""


@use_case
def search(
    home: Home,
    project: str,
    wanted: str | Uploads,
    run: str | None = None,
    *,
    limit: int = 48,
    progress: Progress | None = None,
) -> Search:
    """The project's images that fit a text, or look like a picture, best; embeddings that are not there are computed.

    Sealed test images are left out: who looks at them tunes on them.

    Args:
        wanted: the words, or an upload whose first picture is compared.
        run: whose student looks; None for the project's teacher, which reads free text better.

    Raises:
        NotFoundError: no such project or run, or the teacher's weights are not installed.
        TrainingError: the run has not been trained yet.
        DataError: no words, a picture that cannot be read, a run of another project, or one made from embeddings.
    """
    summary = get_project(home, project)
    refuse_new_pictures(summary)
    if isinstance(wanted, str):
        if not wanted.strip():
            raise DataError("the search text is empty", "Type what the images should show.", value=wanted)
        refuse_mark(wanted, Subject("the search text", hint="Leave it out."))
    if run is None:
        towers = open_towers(home, summary.teacher)
    else:
        view = student_run(home, run)
        if view.project_id != summary.id:
            raise DataError("the run is of another project", "Choose one of this project.", value=view.id)
        towers = open_student(home, view).towers
    manifest = read_manifest(home, summary.id)
    sealed = manifest["image_id"].isin(read_splits(home, summary.id).test)
    shown = manifest[~sealed]
    images = Images(shown["image_id"].tolist(), image_source(home, summary.id))
    if isinstance(wanted, str):
        asked = towers.encode_text([wanted.strip()])[0].cpu()
    else:
        asked = embed_images(towers, loose_files(wanted.paths[:1]), summary.recipe)[0]
    features = image_features(towers, images, home.features, recipe=summary.recipe, progress=progress).cpu()
    scores = features @ asked
    best = scores.argsort(descending=True)[:limit].tolist()
    table = pd.DataFrame(
        {
            "image_id": [images.ids[place] for place in best],
            "path": [str(images.source.file(images.ids[place])) for place in best],
            "class_key": shown["label"].iloc[best].tolist(),
            "score": scores[best].tolist(),
        },
        columns=list(SEARCHED),
    )
    return Search(table, len(images), int(sealed.sum()))

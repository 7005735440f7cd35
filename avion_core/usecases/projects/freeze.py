"""A project as values at one moment: what a run keeps when it is queued, and what descriptions are judged by."""

from __future__ import annotations

import pandas as pd

from avion_core.data.project import ProjectData, read_captions_kept
from avion_core.reading import Subject
from avion_core.store.home import Home
from avion_core.store.sources import RESTORE, image_source
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits

CAPTIONS = Subject("the project's captions", hint=RESTORE)


@use_case
def freeze(home: Home, project: str) -> ProjectData:
    """A project as the engine takes it: images, splits, class names, and descriptions with their verdicts.

    Raises:
        NotFoundError: no such project.
    """
    summary = get_project(home, project)
    return ProjectData(
        name=summary.name,
        source=image_source(home, summary.id),
        manifest=read_manifest(home, summary.id),
        splits=read_splits(home, summary.id),
        recipe=summary.recipe,
        class_names={entry.key: entry.prompt_name for entry in summary.classes},
        descriptions=current_descriptions(home, summary.id),
        captions=kept_captions(home, summary.id),
    )


@use_case
def kept_captions(home: Home, project_id: str) -> pd.DataFrame:
    """The captions of a project's images (see `data.captions.CAPTION_COLUMNS`); none in most projects.

    Raises:
        DataError: the file of them is damaged.
    """
    return read_captions_kept(home.project_folder(project_id), CAPTIONS)

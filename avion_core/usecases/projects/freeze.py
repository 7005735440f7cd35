"""A project as values at one moment: what a run keeps when it is queued, and what descriptions are judged by."""

from __future__ import annotations

from avion_core.data.project import ProjectData
from avion_core.store.home import Home
from avion_core.store.sources import image_source
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits


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
    )

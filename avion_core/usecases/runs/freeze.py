"""The inputs of a run, frozen when it is queued: what people do afterwards does not change it."""

from __future__ import annotations

from avion_core.data.project import ProjectData
from avion_core.store.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.projects import get_project, read_manifest, read_splits


def freeze(home: Home, project: str) -> ProjectData:
    """A project as the engine takes it: images, splits, class names, and descriptions with their verdicts.

    Raises:
        NotFoundError: no such project.
    """
    summary = get_project(home, project)
    candidates = current_descriptions(home, summary.id)
    return ProjectData(
        name=summary.name,
        image_root=summary.image_root,
        manifest=read_manifest(home, summary.id),
        splits=read_splits(home, summary.id),
        recipe=summary.recipe,
        class_names={entry.key: entry.prompt_name for entry in summary.classes},
        descriptions=candidates.loc[:, ["description_id", "class_key", "text", "verdict", "writer"]],
    )

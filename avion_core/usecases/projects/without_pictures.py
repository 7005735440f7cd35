"""What a project made from embeddings cannot do: there is no model that reads new texts, and there are no pictures."""

from __future__ import annotations

from avion_core.backbones.catalog import is_given
from avion_core.errors import DataError
from avion_core.store.tables import Project
from avion_core.usecases.projects.summaries import ProjectSummary


def refuse_new_texts(project: Project | ProjectSummary) -> None:
    """New and edited texts need a model that reads them.

    Raises:
        DataError: the project was made from embeddings.
    """
    if is_given(project.teacher):
        what = "a project made from embeddings cannot take new texts, for there is no model to read them"
        raise DataError(what, "Add them to the file of features, and make a project of it.", value=project.name)


def refuse_without_pictures(project: Project | ProjectSummary, what: str) -> None:
    """Some things are made of pictures.

    Args:
        what: "a pack", and so on.

    Raises:
        DataError: the project was made from embeddings.
    """
    if is_given(project.teacher):
        said = f"{what} holds pictures, and this project was made from embeddings and has none"
        raise DataError(said, "Hand on its file of features instead.", value=project.name)


def refuse_new_pictures(project: Project | ProjectSummary) -> None:
    """New pictures, and words to look for, need a model that embeds them.

    Raises:
        DataError: the project was made from embeddings.
    """
    if is_given(project.teacher):
        what = "a project made from embeddings cannot read new pictures or words, for there is no model to embed them"
        raise DataError(what, "Make a project from a folder of images.", value=project.name)

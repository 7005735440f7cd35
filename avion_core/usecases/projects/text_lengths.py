"""Descriptions that run past what the teacher reads, known before anything is embedded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.current_descriptions import current_descriptions

if TYPE_CHECKING:
    from avion_core.backbones.reading_length import CutOff


@use_case
def too_long_for_teacher(home: Home, project: str, texts: Sequence[str] | None = None) -> CutOff:
    """Which texts the project's teacher does not read to their end, by its tokenizer; None asks of all descriptions.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        project_id, teacher = row.id, row.teacher
    if texts is None:
        texts = current_descriptions(home, project_id)["text"].tolist()
    return unread_ends(home, teacher, texts)


@use_case
def unread_ends(home: Home, teacher: str, texts: Sequence[str]) -> CutOff:
    """Which texts a teacher does not read to their end (see `reading_length.unread_ends`)."""
    from avion_core.backbones import reading_length

    return reading_length.unread_ends(home.weights, teacher, texts)

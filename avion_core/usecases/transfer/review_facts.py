"""What a review pack says of itself: of which project it was made, for whom, and which decisions lay in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from avion_core.files import write_text
from avion_core.reading import Subject, fitted, read_json
from avion_core.store.row_checks import HINT

ABOUT = "review.json"
"""Its name in the folder of a project that was made of a review pack."""

_FACTS = Subject("what the review pack says of itself", hint=HINT)


class PackedProject(BaseModel):
    """The project that a pack was made of."""

    id: str
    name: str


class PackFacts(BaseModel):
    """Of one review pack."""

    pack: str
    project: PackedProject
    reviewer: str = ""
    signature: str = ""
    """ "" in packs of earlier versions."""
    tokens: tuple[str, ...] = ()
    """Those of the decisions in it."""
    made_at: str = ""


def facts_of(about: Any) -> PackFacts:
    """The facts in a pack's listing.

    Raises:
        DataError: one is missing, or is something else.
    """
    return fitted(PackFacts, about, _FACTS)


def read_facts(folder: Path) -> PackFacts | None:
    """The facts in a project's folder; None where it was not made of a review pack.

    Raises:
        DataError: they cannot be read.
    """
    file = folder / ABOUT
    return fitted(PackFacts, read_json(file, _FACTS), _FACTS, value=str(file)) if file.is_file() else None


def write_facts(folder: Path, facts: PackFacts) -> None:
    """Keep the facts in a project's folder."""
    write_text(folder / ABOUT, facts.model_dump_json())

"""The installation that is served, opened for whoever is at this browser."""

from __future__ import annotations

from app.state import door, visitor
from avion_core.usecases.installation.home import Home


def home() -> Home:
    """Where everything of this installation lives. What a use case does with it, it does for this browser's person.

    Raises:
        AccountError: nobody is signed in (any more).
    """
    return door.at_the_door().acting_as(visitor.signed_in())

"""Who acts: the person that an open home works for, and in which role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["admin", "adjudicator", "reviewer"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Actor:
    """Somebody at work."""

    name: str
    """What verdicts, looks and the journal carry."""
    role: Role | Literal["stranger"]
    """What they may do; "stranger" for a browser that has not signed in."""


ALONE = Actor("me", "admin")
"""Whoever works where nobody signs in, and whoever has the command line. No account takes this name."""

STRANGER = Actor("", "stranger")
"""A request of which nobody knows yet whose it is: it may find out, and sign in."""

STUDIO = Actor("studio", "admin")
"""The studio itself: the daily backup, and jobs' own processes, whose rights were asked when they were submitted."""

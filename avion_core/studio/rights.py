"""Who may do what: a role and a right in, yes or no out. Whoever calls a use case for a person asks here first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from avion_core.errors import RightsError

Role = Literal["admin", "adjudicator", "reviewer"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Right:
    """A kind of deed, in words that follow "may", and the roles that may do it."""

    deed: str
    holders: tuple[Role, ...]


_LEADING: tuple[Role, ...] = ("adjudicator", "admin")

REVIEW = Right("judge descriptions and label images", ROLES)
ADJUDICATE = Right("decide conflicts between reviewers", _LEADING)
CHANGE_RULES = Right("change the rules of selection", _LEADING)
CHANGE_PROJECTS = Right("change projects, their classes and descriptions", _LEADING)
TRAIN = Right("start and stop trainings", _LEADING)
UNSEAL = Right("unseal the test set", ("admin",))
ADMINISTER = Right("manage users, models and backups", ("admin",))

RIGHTS = (REVIEW, ADJUDICATE, CHANGE_RULES, CHANGE_PROJECTS, TRAIN, UNSEAL, ADMINISTER)


def may(role: str, right: Right) -> bool:
    """Whether that role holds the right."""
    return role in right.holders


def demand(role: str, right: Right) -> None:
    """Let the deed pass, or raise.

    Raises:
        RightsError: the role does not hold the right.
    """
    if not may(role, right):
        whom = " or ".join(f"an {holder}" for holder in right.holders)
        raise RightsError(f"as {role} you may not {right.deed}", f"Ask {whom} of this studio.")

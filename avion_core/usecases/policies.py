"""Who may do what: a role and a right in, yes or no out.

A use case that not everybody may call declares its right with `needs`, and is refused to whoever does not hold it,
whatever page it is called from. Pages ask as well, before they offer a button.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar, get_args

from avion_core.errors import RightsError
from avion_core.store.accounts import account_named
from avion_core.store.database import reading
from avion_core.store.home import Home

P = ParamSpec("P")
T = TypeVar("T")

Role = Literal["admin", "adjudicator", "reviewer"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Right:
    """A kind of deed, in words that follow "may", and the roles that may do it."""

    deed: str
    holders: tuple[Role, ...]


_LEADING: tuple[Role, ...] = ("adjudicator", "admin")

REVIEW = Right("review descriptions and label images", ROLES)
ADJUDICATE = Right("settle conflicts between reviewers", _LEADING)
CHANGE_RULES = Right("change the rules of selection", _LEADING)
CHANGE_PROJECTS = Right("change projects, their classes and descriptions", _LEADING)
TRAIN = Right("start and stop trainings", _LEADING)
UNSEAL = Right("open the sealed test set", ("admin",))
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


def demand_of(home: Home, who: str, right: Right) -> None:
    """Let a deed of that person pass, or raise.

    A name without an account passes. Where nobody signs in there are no accounts; where people do, only the command
    line acts under other names, and whoever has it on a home folder owns all that is in there.

    Raises:
        RightsError: the person's role does not hold the right.
    """
    with reading(home.engine) as session:
        account = account_named(session, who)
    if account is not None:
        demand(account.role, right)


def needs(right: Right, by: str = "who") -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Declare the right that a use case needs: it is demanded of the person in its argument `by`, before all else."""

    def declare(use_case: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(use_case)

        @functools.wraps(use_case)
        def asking(*args: P.args, **kwargs: P.kwargs) -> T:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            demand_of(given.arguments["home"], given.arguments[by], right)
            return use_case(*args, **kwargs)

        return asking

    return declare

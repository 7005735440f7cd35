"""Every use case has a line in the table of policies, and asks for its right before it does anything."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType

import pytest

from avion_core import usecases
from avion_core.actor import ROLES, STRANGER, Actor, Role
from avion_core.errors import RightsError
from avion_core.store.home import Home
from avion_core.usecases import policies


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(usecases.__path__, "avion_core.usecases."):
        if found.name != policies.__name__:
            yield found.name


def public_functions() -> dict[str, FunctionType]:
    """Of all modules of use cases, those that they define themselves."""
    return {
        f"{module}.{name}": found
        for module in modules()
        for name, found in vars(import_module(module)).items()
        if inspect.isfunction(found) and not name.startswith("_") and found.__module__ == module
    }


def takes_home(function: FunctionType) -> bool:
    return any(parameter.annotation == "Home" for parameter in inspect.signature(function).parameters.values())


USE_CASES = {name: found for name, found in public_functions().items() if takes_home(found)}


def right_of(name: str) -> policies.Right:
    module, _, function = name.rpartition(".")
    return policies.right_for(module, function)


class NotToBeOpened(Home):
    """Whoever reads or writes something of it has not asked for the right first."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor


def called(name: str, actor: Actor) -> None:
    USE_CASES[name](NotToBeOpened(actor))


def test_there_are_use_cases() -> None:
    assert len(USE_CASES) > 170


@pytest.mark.parametrize("name", USE_CASES)
def test_a_use_case_takes_the_home_first_and_asks_for_its_right(name: str) -> None:
    function = USE_CASES[name]
    assert next(iter(inspect.signature(function).parameters)) == "home", "the home, and so who acts, comes first"
    right = right_of(name)
    refused = [role for role in (*ROLES, "stranger") if role not in right.holders]
    for role in refused:
        with pytest.raises(RightsError):
            called(name, Actor("somebody", role))
    for role in right.holders:  # let through, it misses its other arguments, or meets the home that is not there
        with pytest.raises((TypeError, AttributeError)):
            called(name, Actor("somebody", role))


def test_only_the_door_is_open_to_strangers() -> None:
    open_to_strangers = {name for name in USE_CASES if policies.may(STRANGER, right_of(name))}
    assert {name.rpartition(".")[0] for name in open_to_strangers} == {"avion_core.usecases.people.accounts"}
    assert len(open_to_strangers) == 7


def test_no_line_of_the_table_is_idle_or_said_twice() -> None:
    listed = [
        f"avion_core.usecases.{subject}.{name}"
        for subjects in policies._TABLE.values()
        for subject, names in subjects.items()
        for name in names.split()
    ]
    assert sorted(listed) == sorted(USE_CASES)


def test_a_use_case_without_a_policy_cannot_even_be_imported() -> None:
    def drop_everything(home: Home) -> None:
        """Somebody's new use case."""

    drop_everything.__module__ = "avion_core.usecases.projects.creating"
    with pytest.raises(LookupError, match=r"projects\.creating\.drop_everything has no policy"):
        policies.use_case(drop_everything)


def test_nothing_takes_somebodys_name_for_who_acts() -> None:
    """A name beside the home could be anybody's: who acts is who the home is open for."""
    named = {name for name, found in USE_CASES.items() if "who" in inspect.signature(found).parameters}
    assert named == set()


@pytest.mark.parametrize("role", ROLES)
def test_roles_hold_what_lesser_ones_hold(role: Role) -> None:
    held = {right.what for right in policies.RIGHTS if role in right.holders}
    lesser = {right.what for right in policies.RIGHTS if "reviewer" in right.holders}
    assert lesser <= held

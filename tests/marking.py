"""Which tests need more than this process: they are marked by what they use.

`process`: starts a program or serves on a port. `app`: runs a page of the app. `make check` leaves both out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import pytest

USES = {
    "process": {"subprocess", "Popen", "loopback", "ThreadingHTTPServer", "serving"},
    "app": {"AppTest"},
}
"""Marker -> names; a test that says one of them, itself or in its fixtures and helpers, gets the marker."""


def markers_of(functions: list[Callable[..., Any]]) -> set[str]:
    """The markers of a test, given its function and those of its fixtures."""
    said: set[str] = set()
    waiting, seen = list(functions), set()
    while waiting:
        function = inspect.unwrap(waiting.pop())
        code = getattr(function, "__code__", None)
        if code is None or code in seen or "/tests/" not in code.co_filename:
            continue
        seen.add(code)
        names = set(_names(code))
        said |= names
        waiting += [value for name in names if callable(value := function.__globals__.get(name))]
    return {marker for marker, names in USES.items() if said & names}


def mark(item: pytest.Item) -> None:
    """Give a collected test its markers."""
    if isinstance(item, pytest.Function):
        fixtures = [each.func for found in item._fixtureinfo.name2fixturedefs.values() for each in found]
        for marker in markers_of([item.function, *fixtures]):
            item.add_marker(marker)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)

"""Which tests need more than this process: they are marked by what they use, and a test that starts more is found out.

`process`: starts a program or serves on a port. `app`: runs pages of the app or commands. `home`: keeps a home, with
its database and files. `make check` leaves them out.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import pytest

USES = {
    "process": {"subprocess", "Popen", "executable", "loopback", "ThreadingHTTPServer", "serving", "start_map"},
    "app": {"AppTest", "CliRunner"},
    "home": {"Home"},
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


class Listener:
    """Hears from the interpreter what is started in this process."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def listen(self) -> None:
        sys.addaudithook(self._hear)  # for good: a hook cannot be taken off

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen" and os.fspath(arguments[0]) == sys.executable:
            self.heard.append(f"started {arguments[1]}")
        elif event == "socket.bind" and isinstance(arguments[1], tuple):  # a path in the file system is no port
            self.heard.append(f"listened on {arguments[1]}")

    def during(self, item: pytest.Item) -> Iterator[None]:
        """Around a test: it fails if it started something and is not marked. (A page may start jobs.)"""
        self.heard.clear()
        yield
        marked = any(item.get_closest_marker(name) for name in ("process", "app", "browser"))
        if self.heard and not marked:
            pytest.fail(f"mark this test `process`: it {self.heard[0]}", pytrace=False)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)

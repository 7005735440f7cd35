"""How the tests run: in which process, how patiently, and the towers that many of them share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from avion_core.backbones.towers import OpenClipTowers
from tests.marking import Listener, mark
from tests.tiny_clip import make_tiny_clip

# Seconds say something of the machine, not of the code: no property fails for a busy processor.
settings.register_profile("any machine", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=10)  # for `make check`
settings.load_profile("any machine")


listener = Listener()
listener.listen()


class OneProcessBrowses(LoadFileScheduling):
    """A file's tests stay together, and so do all that need a browser: they share it, a server and a trained home.

    They wait more than they compute, so beside another process's tests they fill two cores better than two browsers.
    """

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        return "tests/browser" if scope.startswith("tests/browser/") else scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneProcessBrowses:
    return OneProcessBrowses(config, log)


def pytest_itemcollected(item: pytest.Item) -> None:
    mark(item)


@pytest.fixture(autouse=True)
def nothing_unmarked_starts(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from listener.during(request.node)


@pytest.fixture(scope="session")
def tiny_clip() -> OpenClipTowers:
    return make_tiny_clip()

"""How the tests run: in which process, how patiently, and the towers that many of them share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from avion_core.backbones.towers import OpenClipTowers
from tests.marking import Listener, mark
from tests.tiny_clip import make_tiny_clip

ROOT = Path(__file__).parents[1]

# Seconds say something of the machine, not of the code: no property fails for a busy processor.
settings.register_profile("any machine", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=10)  # for `make check`
settings.load_profile("any machine")


listener = Listener()
listener.listen()


class FilesTogether(LoadFileScheduling):
    """A file's tests stay together. So do the files that look at one trained home in a browser, in two halves: each
    half makes the home, a server and a browser once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder, _, name = file.rpartition("/")
        if folder != "tests/browser" or "serving(" in (ROOT / file).read_text(encoding="utf-8"):
            return file
        return f"tests/browser, {'first' if name < 'test_n' else 'second'} half"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether:
    return FilesTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a browser comes first: it waits more than it computes, and one such file outlasts ten others."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/browser/"))


def pytest_itemcollected(item: pytest.Item) -> None:
    mark(item)


@pytest.fixture(autouse=True)
def nothing_unmarked_starts(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from listener.during(request.node)


@pytest.fixture(scope="session")
def tiny_clip() -> OpenClipTowers:
    return make_tiny_clip()


@pytest.fixture
def float32_on_any_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor without units for bfloat16: embeddings are of the precision that suits the processor, and what
    is compared closely is of one."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "amx_bf16": False})

"""Every page where no file can grow: what can be shown is shown, and for the rest it says what is in the way."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.main import PAGE_NAMES
from avion_core.usecases.installation.home import Home
from tests.pages.conftest import Open

WRITE_FIRST = {"review", "sheet", "decisions", "evaluation", "confusion", "export", "writers"}
"""Pages that show what has to be kept before it can be shown: embeddings, or a measurement."""


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow, as on a full disk: no database, no cache, no picture."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_a_page_on_a_full_disk(name: str, unmeasured: Home, open_page: Open) -> None:
    shutil.rmtree(unmeasured.path / "features")
    with full_disk():
        app = open_page(name)
        said = [str(error.proto) for error in app.error]
        titles = [title.value for title in app.title]
    assert len(titles) == 1
    assert len(said) == (name in WRITE_FIRST), said
    assert all("Free space" in one or "that it is not full" in one for one in said), said

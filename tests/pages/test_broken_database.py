"""Every page over a database that is locked, full or damaged: a sentence that helps, and no traceback."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from app import sign_in
from app.main import PAGE_NAMES
from avion_core.store import database
from avion_core.usecases.installation.home import Home
from tests.pages.conftest import Open, all_text


@contextmanager
def locked(file: Path) -> Iterator[str]:
    """Another program writes, and does not come to an end."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield "the page is as ever: looking writes nothing"


def have_alone(connection: sqlite3.Connection) -> None:
    """Close the app's connections. A thread beside the page may have one open a moment longer, which it then gives back
    to a pool that nobody knows any more: that is closed as it is collected."""
    mode = ""
    while mode != "delete":
        sign_in.studio().engine.dispose()
        gc.collect()
        with suppress(sqlite3.OperationalError):
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]


@contextmanager
def closed(file: Path) -> Iterator[str]:
    """Another program has it for itself alone, also for reading."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        have_alone(other)
        other.execute("BEGIN EXCLUSIVE")
        yield "The database cannot"


@contextmanager
def damaged(file: Path) -> Iterator[str]:
    """Something wrote over its middle."""
    with closing(sqlite3.connect(file)) as connection:
        have_alone(connection)
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"x" * (len(content) - 4096))
    yield "is damaged, or is not a database"


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_a_page_says_what_is_wrong(name: str, home: Home, open_page: Open, monkeypatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    app = open_page(name, at_rest=False)
    for trouble in (locked, closed, damaged):
        with trouble(home.path / "avion.sqlite3") as said:
            app.run()
            assert not app.exception, app.exception[0].value
            shown = "".join(str(error.proto) for error in app.error)
            assert (said in shown) == (trouble is not locked), (trouble, shown or all_text(app))

"""What passes is told as such: a lock, a full disk, a folder that cannot be written."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from avion_core.errors import StoreBusyError
from avion_core.store import database
from avion_core.store.database import open_database, reading, writing


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)


def test_a_lock_that_another_program_holds(quick: None, tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with closing(sqlite3.connect(tmp_path / "avion.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        held = pytest.raises(StoreBusyError, match=r"\(database is locked\)\. Another program holds it")
        with held, writing(engine) as session:
            session.execute(text("CREATE TABLE later (x)"))
        with reading(engine) as session:  # readers do not wait for a writer
            assert session.execute(text("SELECT 1")).scalar() == 1
        other.execute("ROLLBACK")
    with writing(engine) as session:
        session.execute(text("CREATE TABLE later (x)"))


def test_a_lock_that_ends_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    engine = open_database(tmp_path)
    with closing(sqlite3.connect(tmp_path / "avion.sqlite3", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
        end.start()
        with writing(engine) as session:
            session.execute(text("CREATE TABLE later (x)"))
        end.join()
    with reading(engine) as session:  # in other things the connection is as patient as before
        assert session.execute(text("PRAGMA busy_timeout")).scalar() == 30_000
        assert session.execute(text("SELECT COUNT(*) FROM later")).scalar() == 0


def test_a_full_disk_keeps_nothing_of_the_transaction(quick: None, tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with writing(engine) as session:
        session.execute(text("CREATE TABLE big (x)"))

    def fill(pages: int) -> None:
        with writing(engine) as session:
            session.execute(text(f"PRAGMA max_page_count = {pages}"))
            session.execute(text("INSERT INTO big VALUES ('small')"))
            session.execute(text("INSERT INTO big VALUES (zeroblob(4000000))"))

    with pytest.raises(StoreBusyError, match="The disk is full: make room"):
        fill(1)
    with reading(engine) as session:
        assert session.execute(text("SELECT COUNT(*) FROM big")).scalar() == 0
    fill(1_000_000)  # room was made
    with reading(engine) as session:
        assert session.execute(text("SELECT COUNT(*) FROM big")).scalar() == 2


def test_an_error_of_our_own_is_no_passing_state(quick: None, tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with pytest.raises(OperationalError, match="no such table"), writing(engine) as session:
        session.execute(text("INSERT INTO nowhere VALUES (1)"))


def test_more_at_once_than_there_are_connections(quick: None, tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    engine = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    with reading(engine) as first:
        first.execute(text("SELECT 1"))
        with pytest.raises(StoreBusyError, match="too many ask at once"), reading(engine) as second:
            second.execute(text("SELECT 1"))

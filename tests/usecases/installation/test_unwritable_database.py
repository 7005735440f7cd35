"""`doctor`, and backups made and put back, while another program holds the database or its disk is full."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avion_core.actor import ALONE
from avion_core.cli import app
from avion_core.store import backups, database
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import list_projects
from avion_core.store.tables import Project
from avion_core.usecases.installation import backup


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A home with one backup, and one project that is newer."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    for module in (backups, database):
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    home = Home(tmp_path / "home", ALONE)
    backup.back_up(home)
    row = Project(name="newer", image_root="", modality="optical", teacher="", student="", recipe={}, defaults={})
    with writing(home.engine) as session:
        session.add(row)
    home.engine.dispose()
    return home.path


@contextmanager
def held(folder: Path, how: str) -> Iterator[None]:
    with closing(sqlite3.connect(folder / "avion.sqlite3", isolation_level=None)) as other:
        if how == "EXCLUSIVE":  # else readers are let in
            other.execute("PRAGMA journal_mode = DELETE")
        other.execute(f"BEGIN {how}")
        yield


def run(folder: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words, "--home", str(folder)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def projects(folder: Path) -> list[str]:
    with reading(Home(folder, ALONE).engine) as session:
        return [row.name for row in list_projects(session)]


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_while_another_program_holds_it(folder, how):
    name = backup.list_backups(Home(folder, ALONE))[0].name
    with held(folder, how):
        _, said = run(folder, "doctor")
        assert ("database is locked" in said) == (how == "EXCLUSIVE")
        code, said = run(folder, "backup", "restore", name, "--losing")
        assert (code, "database is locked" in said) == (1, True)
    assert projects(folder) == ["newer"]  # as it was
    code, said = run(folder, "backup", "restore", name, "--losing")
    assert code == 0, said
    assert projects(folder) == []


def test_while_its_disk_is_full(folder, monkeypatch):
    name = backup.list_backups(Home(folder, ALONE))[0].name
    before = sorted(path.name for path in (folder / "backups").iterdir())

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    class Full(sqlite3.Connection):
        backup = full

    connect = sqlite3.connect
    monkeypatch.setattr(backups.sqlite3, "connect", lambda *given, **named: connect(*given, **named, factory=Full))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))
    for words in (("backup", "create"), ("backup", "restore", name, "--losing")):
        code, said = run(folder, *words)
        assert (code, "database or disk is full" in said, "Free space" in said) == (1, True, True)
    assert "0.0 GB are free" in run(folder, "doctor")[1]
    assert sorted(path.name for path in (folder / "backups").iterdir()) == before
    assert projects(folder) == ["newer"]

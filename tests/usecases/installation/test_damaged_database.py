"""A database that was cut short, overwritten or emptied: it is named, with the backup that takes its place."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avion_core.actor import ALONE
from avion_core.cli import app
from avion_core.errors import StoreError
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import list_projects
from avion_core.store.tables import Project
from avion_core.usecases.installation import backup
from avion_core.usecases.installation.doctor import examine


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwrite(file: Path) -> None:
    file.write_bytes(b"x" * file.stat().st_size)


def overwrite_inside(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


def empty(file: Path) -> None:
    file.write_bytes(b"")


DAMAGES = [cut, overwrite, overwrite_inside, empty]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A home with one project and one backup."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    home = Home(tmp_path / "home", ALONE)
    row = Project(name="kept", image_root="", modality="optical", teacher="", student="", recipe={}, defaults={})
    with writing(home.engine) as session:
        session.add(row)
    backup.back_up(home)
    home.engine.dispose()
    with closing(sqlite3.connect(home.path / "avion.sqlite3")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file
    return home.path


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_newest_backup_is_named_with_the_command_that_puts_it_back(folder, damage):
    damage(folder / "avion.sqlite3")
    home, newest = Home(folder, ALONE), backup.list_backups(Home(folder, ALONE))[0]
    with pytest.raises(StoreError) as caught, reading(home.engine) as session:
        list_projects(session)
    assert "is damaged, or is not a database" in str(caught.value)
    assert str(folder / "avion.sqlite3") in str(caught.value)
    assert f"`avion backup restore {newest.name}`" in str(caught.value)


@pytest.mark.parametrize("damage", DAMAGES)
def test_doctor_and_restore_work_on_it(folder, damage):
    file = folder / "avion.sqlite3"
    damage(file)
    broken = file.read_bytes()
    failed = [check for check in examine(folder) if check.severity == "error" and "backup restore" in check.hint]
    assert failed
    name = backup.list_backups(Home(folder, ALONE))[0].name
    result = CliRunner().invoke(app, ["backup", "restore", name, "--home", str(folder)])
    assert result.exit_code == 0, result.output
    kept = next((folder / "backups").glob("*-damaged.sqlite3"))
    assert kept.read_bytes() == broken
    with reading(Home(folder, ALONE).engine) as session:
        assert [row.name for row in list_projects(session)] == ["kept"]
    assert not any("backup restore" in check.hint for check in examine(folder))


def test_without_a_backup_nothing_is_promised(folder):
    for found in (folder / "backups").iterdir():
        found.unlink()
    overwrite(folder / "avion.sqlite3")
    with pytest.raises(StoreError, match="there is no backup of it"):
        _ = Home(folder, ALONE).engine


def test_a_sound_database_is_restored_in_the_usual_way(folder):
    home = Home(folder, ALONE)
    assert backup.restore_damaged(home, backup.list_backups(home)[0].name) is None


def test_an_empty_file_without_backups_is_a_new_database(tmp_path, monkeypatch):
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    (tmp_path / "avion.sqlite3").touch()
    with reading(Home(tmp_path, ALONE).engine) as session:
        assert list_projects(session) == []

"""Copies of the SQLite database, made and put back by SQLite's online backup while others read and write.

A backup is one whole file; no writer has to stop, and none sees a database that is half restored.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from sqlalchemy import URL

from avion_core.errors import StoreBusyError, StoreError
from avion_core.files import replacing

Kind = Literal["daily", "by-hand", "before-migration", "before-restore"]
KEPT = {"daily": 14, "before-migration": 5, "before-restore": 5}
"""How many of each kind stay; those made by hand stay until somebody deletes them."""

BUSY_SECONDS = 30.0
"""How long a database that another program holds is waited for."""

_STAMP = "%Y%m%dT%H%M%S%fZ"
# What people and trainings leave in the database, with the columns that name a row.
_HUMAN_WORK = {
    "projects": "id",
    "descriptions": "project_id || '/' || description_id",
    "verdicts": "id",
    "labels": "id",
    "rule_versions": "id",
    "class_changes": "id",
    "runs": "id",
    "accounts": "id",
}


@dataclass(frozen=True)
class Backup:
    """One copy of the database; its file's name says when and why it was made."""

    path: Path
    made_at: datetime
    kind: str
    size_bytes: int

    @property
    def name(self) -> str:
        return self.path.stem


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite address; None for a server's database and for one in memory."""
    in_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(url.database or "") if in_file else None


def list_backups(folder: Path) -> list[Backup]:
    """What lies in the folder of backups, the newest first; last come those from a clock that was ahead of today's."""
    found: list[Backup] = []
    for path in folder.glob("*.sqlite3"):
        stamp, _, kind = path.stem.partition("-")
        try:
            made_at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue  # somebody's own file
        if kind in get_args(Kind):
            found.append(Backup(path, made_at, kind, path.stat().st_size))
    today = datetime.now(UTC)
    return sorted(found, key=lambda backup: (backup.made_at <= today, backup.made_at), reverse=True)


def back_up(database: Path, folder: Path, kind: Kind) -> Backup:
    """Copy the database as it is now, and let the oldest copies of this kind go.

    Raises:
        StoreError: the folder cannot be written, or its disk is full.
    """
    made_at = datetime.now(UTC)
    target = folder / f"{made_at.strftime(_STAMP)}-{kind}.sqlite3"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            replacing(target) as unfinished,
            _opened(database) as live,
            closing(sqlite3.connect(unfinished)) as copy,
        ):
            _copy(live, copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a write-ahead log beside it
    except (OSError, sqlite3.Error) as error:
        hint = "Free space there, or check the folder's permissions."
        raise StoreError(f"the database could not be backed up ({error})", hint, value=str(folder)) from error
    others = [old for old in list_backups(folder) if old.kind == kind and old.path != target]
    for old in others[KEPT.get(kind, 1_000_000) - 1 :]:
        old.path.unlink()
    return Backup(target, made_at, kind, target.stat().st_size)


def restore(backup: Path, database: Path) -> None:
    """Put a copy in the place of all that the database holds, in one transaction that other programs wait for.

    It lets nobody in who is kept out now: accounts that both know keep the password, the role and the state they have
    now, and neither browsers nor invite links of the copy's day work any more.

    Raises:
        StoreError: the copy is damaged, or the database cannot be written.
    """
    check(backup)
    try:
        with (
            _opened(backup) as copy,
            closing(sqlite3.connect(":memory:")) as amended,
            closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as live,
        ):
            _copy(copy, amended)
            now = live.execute("SELECT role, password_hash, disabled_at, id FROM accounts").fetchall()
            with amended:
                amended.executemany(
                    "UPDATE accounts SET role = ?, password_hash = ?, disabled_at = ? WHERE id = ?", now
                )
                amended.execute("DELETE FROM sign_ins")
                amended.execute("DELETE FROM invites")
            _copy(amended, live)
            live.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        hint = "Stop the trainings and servers that use it, and try again."
        raise StoreError(f"the backup could not be put back ({error})", hint, value=str(database)) from error


def replace_damaged(backup: Path, database: Path, folder: Path) -> Backup:
    """Put a copy in the place of a file that cannot be read any more, which is kept beside the backups.

    Browsers sign in again, and invite links have to be made again.

    Raises:
        StoreError: the copy is damaged, or the folder cannot be written.
    """
    check(backup)
    made_at = datetime.now(UTC)
    aside = folder / f"{made_at.strftime(_STAMP)}-damaged.sqlite3"
    try:
        with replacing(database) as unfinished:
            with _opened(backup) as copy, closing(sqlite3.connect(unfinished)) as fresh:
                _copy(copy, fresh)
                with fresh:
                    fresh.execute("DELETE FROM sign_ins")
                    fresh.execute("DELETE FROM invites")
                fresh.execute("PRAGMA journal_mode = DELETE")
            for ending in ("", "-wal", "-shm"):
                part = database.with_name(database.name + ending)
                if part.exists():
                    os.replace(part, aside.with_name(aside.name + ending))
    except (OSError, sqlite3.Error) as error:
        hint = "Free space there, or check the folder's permissions."
        raise StoreError(f"the backup could not be put back ({error})", hint, value=str(database)) from error
    return Backup(aside, made_at, "damaged", aside.stat().st_size if aside.exists() else 0)


def damage_of(database: Path) -> str:
    """What is wrong with a SQLite file, in SQLite's own words; "" where it is sound or busy."""
    try:
        with _opened(database) as live:
            found = str(live.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) or "busy" in str(error) else str(error)
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else found.splitlines()[0]


def check(backup: Path) -> None:
    """Read the copy through.

    Raises:
        StoreError: it is damaged.
    """
    try:
        with _opened(backup) as copy:
            found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise StoreError(f"the backup is damaged ({found})", "Choose another one.", value=backup.name)


def schema_of(backup: Path) -> str | None:
    """The schema that a copy has, or None where it is no database of the studio's."""
    with _opened(backup) as copy:
        if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return None
        return copy.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def lost_by(backup: Path, database: Path) -> dict[str, int]:
    """How many rows of each table the database has and the backup does not have; tables without any are left out.

    Raises:
        StoreBusyError: another program holds the database.
    """
    lost: dict[str, int] = {}
    try:
        with _opened(database) as live:
            live.execute("ATTACH ? AS copy", (f"{backup.absolute().as_uri()}?mode=ro",))
            known = {name for (name,) in live.execute("SELECT name FROM copy.sqlite_master WHERE type = 'table'")}
            for table, row in _HUMAN_WORK.items():
                but = f" WHERE {row} NOT IN (SELECT {row} FROM copy.{table})" if table in known else ""
                lost[table] = live.execute(f"SELECT count(*) FROM main.{table}{but}").fetchone()[0]
    except sqlite3.OperationalError as error:
        what = f"the backup cannot be compared with the database ({error})"
        raise StoreBusyError(what, "Stop the trainings and servers that use it, and try again.") from error
    return {table: count for table, count in lost.items() if count}


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """SQLite's online backup, all in one step; left to itself it would wait for a lock for ever.

    Raises:
        sqlite3.OperationalError: another program holds one of the two for longer than is waited.
    """
    end = time.monotonic() + BUSY_SECONDS

    def watch(status: int, _left: int, _all: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > end:
            raise sqlite3.OperationalError("database is locked")

    source.backup(target, progress=watch)


@contextmanager
def _opened(path: Path) -> Generator[sqlite3.Connection, None, None]:
    """A file that is there; SQLite alone would make an empty one."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)) as connection:
        yield connection

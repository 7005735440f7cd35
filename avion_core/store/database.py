"""Opening the database: SQLite in the home folder, or whatever AVION_DATABASE_URL names."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import RLock
from time import monotonic, sleep
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError
from sqlalchemy.orm import Session

from avion_core.errors import StoreBusyError, StoreDamagedError, StoreError
from avion_core.store import backups
from avion_core.store.filesystems import network_share

SCHEMA = "0004"
"""The newest migration; a test holds it to the files in migrations/versions."""

BUSY_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.002
_TURN = RLock()
"""Held by the one thread of this process that writes. Left to SQLite, the others would sleep and look again, for longer
each time: of 100 reviewers some waited a second for what takes milliseconds. (Again by the same thread: a test's
second home.)"""
_WRITERS = 2603126590
"""The number of the advisory lock that all writers of a PostgreSQL database ask for."""

_ADDRESS_HINT = "Give an SQLAlchemy address such as postgresql+psycopg://user@host/avion, with its driver installed."

# What SQLite and PostgreSQL say of a state that passes -> what a person can do about it.
_PASSING = {
    "locked": "Another program holds it; wait until it is done, or end it.",
    "busy": "Another program holds it; wait until it is done, or end it.",
    "is full": "The disk is full: make room.",
    "no space left": "The disk is full: make room.",
    "disk i/o error": "The disk cannot be read or written: check it, and that it is not full.",
    "unable to open database": "Its folder cannot be written: make room, and check the folder's rights.",
    "readonly database": "The database may not be written: check its rights.",
    "connection refused": "Check that the database server runs.",
    "lock timeout": "Another program holds it; wait until it is done, or end it.",
    "timeout expired": "Check that the database server runs and is not overloaded.",
}


def database_url(folder: Path) -> URL:
    """AVION_DATABASE_URL where it is set, else a SQLite file in the home folder.

    The file's path goes in as it is: pasted into an address, its %20 would be a space and what follows a ? options.

    Raises:
        StoreError: AVION_DATABASE_URL is no address.
    """
    given = os.environ.get("AVION_DATABASE_URL")
    if not given:
        return URL.create("sqlite", database=str(folder / "avion.sqlite3"))
    try:
        return make_url(given)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise StoreError("AVION_DATABASE_URL cannot be used (it is no address)", _ADDRESS_HINT) from error


def open_database(folder: Path) -> Engine:
    """Connect, and bring the schema up to date.

    Raises:
        StoreError: the folder cannot be written, the address cannot be used, the file is no database or lies on a
            network share, or a newer AVION Studio wrote it.
    """
    url = database_url(folder)
    _refuse_network_share(url)
    _refuse_emptied(url, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        hint = "Choose a folder you may write to with --home or AVION_HOME."
        raise StoreError(f"the home folder cannot be written ({error.strerror})", hint, value=str(folder)) from error
    try:
        engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _server(url)
        bring_up_to_date(engine, folder)
        _keep_private(folder, backups.sqlite_file(url))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        what = f"AVION_DATABASE_URL cannot be used ({error})"
        raise StoreError(what, _ADDRESS_HINT, value=without_password(url)) from error
    except OperationalError as error:
        hint = "Check that the database is reachable, that you may write to it, and that its disk has free space."
        what = f"the database cannot be opened ({error.orig})"
        raise StoreError(what, hint, value=without_password(url)) from error
    except Exception as error:
        # sqlite3 says so in its own broad class.
        if not _says_damage(error):
            raise
        raise damaged(url, folder) from error
    return engine


def _keep_private(folder: Path, database: Path | None) -> None:
    """Let nobody else on this machine read verdicts, passwords' hashes and images; said where it was otherwise."""
    for path, mode in ((folder, 0o700), (database, 0o600)):
        if path is None or not path.exists() or not path.stat().st_mode & 0o077:
            continue
        with suppress(OSError):  # somebody else's, or a file system without rights
            path.chmod(mode)
            if path == folder:
                logging.getLogger(__name__).warning("Others on this machine could read %s; now only you can.", folder)


@contextmanager
def reading(engine: Engine) -> Generator[Session, None, None]:
    """A short look at the database.

    Raises:
        StoreBusyError: it cannot be read just now. StoreDamagedError: its file is damaged; the newest backup is named.
    """
    with _told(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def writing(engine: Engine) -> Generator[Session, None, None]:
    """A short transaction that changes something, alone: all of it is kept or nothing, and what it reads stays true.

    One writer at a time, whichever database it is, so that "look, then write" is safe everywhere. SQLite takes its
    write lock at BEGIN (a transaction that first reads would otherwise be refused with "database is locked" as soon as
    another writer slips in between, busy timeout or not); PostgreSQL takes one lock that all writers ask for.

    Raises:
        StoreBusyError: it cannot be written just now: locked by another program, disk full, connection lost.
    """
    options = engine.execution_options(writes=True)
    with _our_turn(), _told(engine), Session(options, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def _our_turn() -> Generator[None, None, None]:
    if not _TURN.acquire(timeout=BUSY_SECONDS):
        hint = "Try again in a few seconds; if it stays so, start the studio again."
        raise StoreBusyError("the database cannot be written just now (others of this process write)", hint)
    try:
        yield
    finally:
        _TURN.release()


@contextmanager
def _told(engine: Engine) -> Generator[None, None, None]:
    """What passes (a lock, a full disk, a lost connection) as one error that callers can wait for; damage by name."""
    try:
        yield
    except NoConnectionFreeError as error:
        what = "the database cannot be asked just now (too many ask at once)"
        raise StoreBusyError(what, "Try again in a few seconds.") from error
    except DBAPIError as error:
        said = str(error.orig)
        file = backups.sqlite_file(engine.url)
        if file is not None and _says_damage(error):
            raise damaged(engine.url, file.parent) from error
        hint = next((hint for word, hint in _PASSING.items() if word in said.lower()), None)
        if hint is None and not error.connection_invalidated:
            raise
        raise StoreBusyError(
            f"the database cannot be written just now ({said})", hint or "Check that the database server runs."
        ) from error


def _server(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        if connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(1000 * BUSY_SECONDS)}ms'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")

    return engine


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _: object) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # the driver shall not begin transactions: `_begin` does
        connection.execute("PRAGMA journal_mode = WAL")  # readers and the one writer do not wait for each other
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        if connection.get_execution_options().get("writes", False):
            _begin_writing(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_writing(connection: Connection) -> None:
    """Take SQLite's write lock, looking again every few milliseconds while another process has it.

    SQLite itself sleeps for longer from look to look, up to 100 ms, and all threads behind this one sleep with it: of
    512 verdicts of 100 reviewers over four processes the slowest took 102 and 109 ms so, and 38 and 66 ms like this.
    """
    driver: Any = connection.connection.driver_connection
    until = monotonic() + BUSY_SECONDS
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while monotonic() < until:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            sleep(_LOOK_AGAIN_SECONDS)
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # what is refused once more is told as any statement's error
    finally:
        driver.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_SECONDS)}")


def _refuse_network_share(url: URL) -> None:
    """SQLite's write-ahead log is shared memory: between machines, and on many shares at all, it loses writes."""
    file = backups.sqlite_file(url)
    share = network_share(file) if file else None
    if share:
        raise StoreError(
            f"a SQLite database cannot be kept on a network share ({share})",
            "Choose a folder on a disk of this machine with --home or AVION_HOME, keep only the database there with "
            "AVION_DATABASE_URL=sqlite:////LOCAL/FOLDER/avion.sqlite3, or use PostgreSQL: "
            "AVION_DATABASE_URL=postgresql+psycopg://user@host/avion.",
            value=str(file),
        )


def damaged(url: URL, folder: Path) -> StoreDamagedError:
    """The error of a SQLite file that cannot be read: it names the newest backup, and the command that puts it back."""
    newest = next(iter(backups.list_backups(backup_folder(folder))), None)
    if newest is None:
        hint = "Move that file away, or choose another folder with --home; there is no backup of it."
    else:
        hint = (
            f"Restore the newest backup, of {newest.made_at:%Y-%m-%d %H:%M} UTC, with "
            f"`avion backup restore {newest.name}`; the damaged file is kept beside the backups."
        )
    return StoreDamagedError("the file is damaged, or is not a database", hint, value=without_password(url))


def _says_damage(error: Exception) -> bool:
    return any(word in str(error) for word in ("not a database", "malformed", "file is encrypted"))


def _refuse_emptied(url: URL, folder: Path) -> None:
    """SQLite takes an empty file for a new database: where there are backups, it was not empty before."""
    file = backups.sqlite_file(url)
    emptied = file is not None and file.is_file() and not file.stat().st_size
    if emptied and backups.list_backups(backup_folder(folder)):
        raise damaged(url, folder)


def backup_folder(folder: Path) -> Path:
    """Where a home folder keeps the copies of its database."""
    return folder / "backups"


def bring_up_to_date(engine: Engine, folder: Path) -> None:
    """Migrate the schema; of a SQLite database that holds something, a copy is made before.

    Raises:
        StoreError: a newer AVION Studio wrote the database, or the copy cannot be made.
    """
    with engine.connect() as connection:
        found = _schema_of(connection)
    if found == SCHEMA:
        return
    # Alembic is imported only when there is something to migrate: it costs as much as all the rest of a command.
    from avion_core.store.migrations.run import known_schemas, migrate

    if found is not None and found not in known_schemas():
        hint = "Update AVION Studio (pip install --upgrade avion-studio), or choose another folder with --home."
        what = f"the database was written by a newer AVION Studio (this one knows schemas up to {SCHEMA}), schema"
        raise StoreError(what, hint, value=found)
    file = backups.sqlite_file(engine.url)
    if found is not None and file is not None:
        backups.back_up(file, backup_folder(folder), "before-migration")
    changing = engine.execution_options(writes=True)
    with changing.connect() as connection, _tables_replaceable(connection), connection.begin():
        # Two programs that open a new database at once: the second waits at `begin`, then finds nothing to do.
        migrate(connection)
        if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            hint = "The database is as it was. Please report this, and go on with the version that wrote it."
            raise StoreError("the database holds rows that refer to others which no longer exist", hint)


@contextmanager
def _tables_replaceable(connection: Connection) -> Generator[None, None, None]:
    """SQLite changes a table by putting a new one in its place, which foreign keys to it would forbid."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection  # inside a transaction the switch would do nothing
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _schema_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def without_password(url: URL) -> str:
    """A database address as it may be shown."""
    return url.render_as_string(hide_password=True)


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """Values in lists that one statement can carry: SQLite took 999 variables once."""
    waiting = iter(values)
    while some := list(islice(waiting, 500)):
        yield some

"""Copies of the database: made every day by a server that runs, made by hand, and put back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from avion_core.errors import NotFoundError, StoreError
from avion_core.store import backups
from avion_core.store.backups import Backup
from avion_core.store.database import backup_folder, bring_up_to_date, database_url
from avion_core.store.home import Home
from avion_core.store.migrations.run import known_schemas
from avion_core.usecases.people.accounts import accounts_are_on
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.views import list_runs
from avion_core.wording import counted

__all__ = [
    "Backup",
    "back_up",
    "back_up_if_due",
    "backups_are_ours",
    "list_backups",
    "losses",
    "of_people",
    "restore_backup",
    "restore_damaged",
]

DUE_AFTER = timedelta(days=1)
_NOUNS = {"rule_versions": "rule version", "class_changes": "class change"}


@use_case
def backups_are_ours(home: Home) -> bool:
    """Whether the studio backs its database up; a PostgreSQL server has its own ways (pg_dump)."""
    return backups.sqlite_file(database_url(home.path)) is not None


@use_case
def list_backups(home: Home) -> list[Backup]:
    """All copies, the newest first."""
    return backups.list_backups(backup_folder(home.path))


@use_case
def back_up(home: Home) -> Backup:
    """Copy the database now; such a copy stays until somebody deletes it.

    Raises:
        StoreError: it is not a SQLite database, or the copy cannot be written.
    """
    return backups.back_up(_file(home), backup_folder(home.path), "by-hand")


@use_case
def back_up_if_due(home: Home) -> Backup | None:
    """Copy the database when the newest copy is older than a day; None where there is nothing to do.

    A copy that claims to be of a later day than today was made while the clock was ahead: it is no reason to wait.

    Raises:
        StoreError: the copy cannot be written.
    """
    if not backups_are_ours(home):
        return None
    newest = next(iter(list_backups(home)), None)
    if newest is not None and timedelta(0) <= datetime.now(UTC) - newest.made_at < DUE_AFTER:
        return None
    return backups.back_up(_file(home), backup_folder(home.path), "daily")


@use_case
def losses(home: Home, name: str) -> list[str]:
    """What the database holds and a copy does not: ["12 verdicts", "1 run"]; restoring it would take that away.

    Raises:
        NotFoundError: no such copy.
        StoreError: it is damaged, or is no database of the studio's.
    """
    path = _find(home, name)
    _check(path)
    lost = backups.lost_by(path, _file(home))
    return [counted(count, _NOUNS.get(table, table.removesuffix("s"))) for table, count in lost.items()]


@use_case
def of_people(home: Home) -> str:
    """What restoring a copy means for people who sign in, in one sentence; "" where nobody does."""
    if not accounts_are_on(home):
        return ""
    return (
        "Everybody signs in again, with today's password and role; disabled accounts stay disabled, and invite "
        "links have to be made again."
    )


@use_case
def restore_backup(home: Home, name: str, *, losing: bool = False) -> Backup:
    """Put a copy in the database's place; who may get in, and as what, stays as it is (see `of_people`).

    Args:
        losing: go on although the database holds work that the copy does not hold.

    Returns:
        The copy of the database as it was, made first.

    Raises:
        NotFoundError: no such copy.
        StoreError: the copy is damaged or newer than this program, trainings are still running, or work would be lost.
    """
    path = _find(home, name)
    lost = losses(home, name)
    if lost and not losing:
        raise StoreError(
            f"the database holds newer work than this backup: {_and(lost)}",
            "To restore it all the same, use --losing; the database as it is now is backed up first.",
            value=name,
        )
    busy = [run.id for run in list_runs(home) if run.state in ("queued", "running")]
    if busy:
        raise StoreError(
            "trainings are still running", "Stop them first, or wait until they are done.", value=", ".join(busy)
        )
    before = backups.back_up(_file(home), backup_folder(home.path), "before-restore")
    backups.restore(path, _file(home))
    bring_up_to_date(home.engine, home.path)
    return before


@use_case
def restore_damaged(home: Home, name: str) -> Backup | None:
    """Put a copy in the place of a database that cannot be read, so that nobody can be asked for a right either.

    Returns:
        Where the damaged file is kept; None where the database can be read, and nothing was done.

    Raises:
        NotFoundError: no such copy.
        StoreError: the copy is damaged or newer than this program, or the folder cannot be written.
    """
    file = backups.sqlite_file(database_url(home.path))
    if file is None or not file.is_file() or not (file.stat().st_size == 0 or backups.damage_of(file)):
        return None
    path = _find(home, name)
    _check(path)
    kept = backups.replace_damaged(path, file, backup_folder(home.path))
    home.forget_database()
    _ = home.engine  # brings an older schema up to date
    return kept


def _file(home: Home) -> Path:
    _ = home.engine  # made and up to date before it is copied
    file = backups.sqlite_file(database_url(home.path))
    if file is None:
        raise StoreError(
            "only a SQLite database is backed up by the studio", "Use the server's own tool, such as pg_dump."
        )
    return file


def _find(home: Home, name: str) -> Path:
    found = list_backups(home)
    chosen = next((backup for backup in found if name in (backup.name, backup.path.name)), None)
    if chosen is None:
        names = ", ".join(backup.name for backup in found) or "none yet"
        raise NotFoundError("there is no such backup", f"Existing backups: {names}.", value=name)
    return chosen.path


def _check(path: Path) -> None:
    backups.check(path)
    schema = backups.schema_of(path)
    if schema not in known_schemas():
        hint = "Update AVION Studio, or choose another backup."
        raise StoreError("the backup was made by a newer AVION Studio or by another program", hint, value=path.name)


def _and(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

"""Copies of the database: when they are made, what they hold, and what a restore refuses to lose."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from avion_core.actor import ALONE, Actor
from avion_core.errors import AccountError, NotFoundError, StoreError
from avion_core.store import backups
from avion_core.store.database import backup_folder, open_database, reading, writing
from avion_core.store.projects import list_projects
from avion_core.store.tables import Account, Job, Project, Run
from avion_core.usecases.installation import backup
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts
from tests.acting import by

PASSWORD = "nine harbours at dusk"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    return Home(tmp_path / "home", ALONE)


def add_project(home: Home, name: str) -> str:
    row = Project(name=name, image_root="", modality="optical", teacher="", student="", recipe={}, defaults={})
    with writing(home.engine) as session:
        session.add(row)
    return row.id


def names(home: Home) -> list[str]:
    with reading(home.engine) as session:
        return [row.name for row in list_projects(session)]


def test_a_backup_is_made_once_a_day(home, monkeypatch):
    first = backup.back_up_if_due(home)
    assert first is not None
    assert (first.kind, first.path.parent) == ("daily", home.path / "backups")
    assert backup.back_up_if_due(home) is None
    monkeypatch.setattr(backup, "DUE_AFTER", timedelta(0))
    assert backup.back_up_if_due(home) is not None
    assert len(backup.list_backups(home)) == 2


def test_old_daily_backups_go_and_those_made_by_hand_stay(home, monkeypatch):
    by_hand = backup.back_up(home)
    monkeypatch.setattr(backup, "DUE_AFTER", timedelta(0))
    monkeypatch.setitem(backups.KEPT, "daily", 2)
    made = [backup.back_up_if_due(home) for _ in range(4)]
    assert [found.name for found in backup.list_backups(home)] == [made[3].name, made[2].name, by_hand.name]


def at(monkeypatch, moment: datetime) -> None:
    """Set the clock."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return moment

    for module in (backups, backup):
        monkeypatch.setattr(module, "datetime", Clock)


def test_a_clock_that_was_ahead_stops_no_daily_backup(home, monkeypatch):
    monkeypatch.setitem(backups.KEPT, "daily", 3)
    today = datetime.now(UTC)
    for day in range(3):
        at(monkeypatch, today + timedelta(days=365 + day))
        assert backup.back_up_if_due(home) is not None
    made = []
    for day in range(3):
        at(monkeypatch, today + timedelta(days=day, hours=1))
        made.append(backup.back_up_if_due(home))
        assert backup.back_up_if_due(home) is None  # once a day all the same
        # Today's copy is the newest and stays, whatever the others claim to be.
        assert backup.list_backups(home)[0].name == made[-1].name
    assert [one.name for one in backup.list_backups(home)] == [one.name for one in reversed(made)]


def test_a_clock_that_was_set_back_stops_no_daily_backup(home, monkeypatch):
    today = datetime.now(UTC)
    at(monkeypatch, today)
    backup.back_up_if_due(home)
    at(monkeypatch, today - timedelta(days=30))
    made = backup.back_up_if_due(home)
    assert made is not None
    assert backup.back_up_if_due(home) is None
    assert backup.list_backups(home)[0].name == made.name


def test_a_backup_is_one_whole_file_made_while_others_write(home):
    add_project(home, "harbours")
    with writing(home.engine) as session:
        session.add(Account(name="Ana", role="admin", password_hash="x"))
        session.flush()
        made = backup.back_up(home)  # sees what was committed, and does not wait for the writer
    assert [path.name for path in made.path.parent.iterdir()] == [made.path.name]
    copy = sqlite3.connect(made.path)
    assert copy.execute("SELECT name FROM projects").fetchall() == [("harbours",)]
    assert copy.execute("SELECT name FROM accounts").fetchall() == []
    copy.close()


def test_a_restore_brings_back_what_was_and_keeps_what_is(home):
    add_project(home, "harbours")
    made = backup.back_up(home)
    with writing(home.engine) as session:
        session.execute(text("UPDATE projects SET name = 'ports'"))
    assert backup.losses(home, made.name) == []
    before = backup.restore_backup(home, made.name)
    assert names(home) == ["harbours"]
    assert before.kind == "before-restore"
    backup.restore_backup(home, before.name)
    assert names(home) == ["ports"]
    assert add_project(home, "still writable")


def test_other_programs_see_the_restored_database(home):
    made = backup.back_up(home)
    add_project(home, "harbours")
    other = Home(home.path, ALONE)
    assert names(other) == ["harbours"]
    backup.restore_backup(home, made.name, losing=True)
    assert names(other) == []
    add_project(other, "beaches")
    assert names(home) == ["beaches"]


def test_a_restore_does_not_lose_newer_work_silently(home):
    made = backup.back_up(home)
    for number in range(2):
        project_id = add_project(home, f"harbours {number}")
    with writing(home.engine) as session:
        job = Job(kind="training", state="finished")
        session.add(Run(job=job, project_id=project_id, name="r", config={}, rule_version=0))
    assert backup.losses(home, made.name) == ["2 projects", "1 run"]
    with pytest.raises(
        StoreError, match=r"holds newer work than this backup: 2 projects and 1 run: .*--losing"
    ) as raised:
        backup.restore_backup(home, made.name)
    assert "is backed up first" in str(raised.value)
    assert len(names(home)) == 2
    before = backup.restore_backup(home, made.name, losing=True)
    assert names(home) == []
    assert backup.losses(home, before.name) == []


def test_a_restore_waits_for_trainings(home):
    made = backup.back_up(home)
    project_id = add_project(home, "harbours")
    with writing(home.engine) as session:
        session.add(Run(job=Job(id="r1", kind="training"), project_id=project_id, name="r", config={}, rule_version=0))
    with pytest.raises(StoreError, match=r"Trainings are still running: r1\. Stop them first"):
        backup.restore_backup(home, made.name, losing=True)


def test_a_backup_that_is_not_there(home):
    made = backup.back_up(home)
    with pytest.raises(NotFoundError, match=rf"no such backup: yesterday\. Existing backups: {made.name}\."):
        backup.restore_backup(home, "yesterday")


def test_a_damaged_backup_is_refused(home):
    add_project(home, "harbours")
    made = backup.back_up(home)
    whole = made.path.read_bytes()
    made.path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(StoreError, match=r"The backup is damaged .*Choose another one\."):
        backup.restore_backup(home, made.name, losing=True)
    assert names(home) == ["harbours"]


@pytest.mark.parametrize("change", ["UPDATE alembic_version SET version_num = '9999'", "DROP TABLE alembic_version"])
def test_a_backup_of_something_else_is_refused(home, change):
    made = backup.back_up(home)
    with sqlite3.connect(made.path) as copy:
        copy.execute(change)
    copy.close()
    with pytest.raises(StoreError, match="by a newer AVION Studio or by another program"):
        backup.restore_backup(home, made.name, losing=True)


def test_a_full_or_closed_folder_is_told(home):
    _ = home.engine
    (home.path / "backups").write_text("in the way")
    with pytest.raises(
        StoreError, match=r"could not be backed up .*Free space there, or check the folder's permissions\."
    ):
        backup.back_up(home)


def test_other_files_in_the_folder_are_left_alone(home):
    folder = backup_folder(home.path)
    folder.mkdir(parents=True)
    for name in ("mine.sqlite3", "20260101T000000000000Z-monthly.sqlite3", "notes.txt"):
        (folder / name).touch()
    assert backup.list_backups(home) == []


def test_a_server_database_is_backed_up_by_its_own_tools(home, monkeypatch):
    monkeypatch.setenv("AVION_DATABASE_URL", "postgresql+psycopg://me:secret@host/avion")
    assert not backup.backups_are_ours(home)
    assert backup.back_up_if_due(home) is None


def test_a_copy_is_made_before_a_migration(home, monkeypatch):
    add_project(home, "harbours")
    home.engine.dispose()
    migrated = []
    monkeypatch.setattr("avion_core.store.database.SCHEMA", "9998")
    monkeypatch.setattr("avion_core.store.migrations.run.migrate", lambda _: migrated.append(backup.list_backups(home)))
    open_database(home.path)
    ((made,),) = migrated
    assert made.kind == "before-migration"
    assert datetime.now(UTC) - made.made_at < timedelta(minutes=1)
    with sqlite3.connect(made.path) as copy:
        assert copy.execute("SELECT name FROM projects").fetchall() == [("harbours",)]
    copy.close()


def test_a_restore_lets_nobody_in_who_is_out(home, monkeypatch):
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    assert backup.of_people(home) == ""
    for name, role in (("Ana", "admin"), ("Ben", "admin"), ("Dee", "reviewer")):
        accounts.add_account(home, name, PASSWORD, role)
    assert backup.of_people(home).startswith("Everybody signs in again")
    browsers = [accounts.sign_in(home, name, PASSWORD, "here") for name in ("Ana", "Ben", "Dee")]
    links = [accounts.invite(by("Ana", home), "admin"), accounts.reset_password(by("Ana", home), "Dee")]
    made = backup.back_up(home)
    accounts.withdraw_invite(home, accounts.read_invite(home, links[0]).id)
    accounts.accept_invite(home, links[1], "", "another long secret")
    accounts.sign_out(home, browsers[0])
    accounts.set_disabled(home, "Ben", True)
    accounts.set_role(home, "Ben", "reviewer")
    assert backup.losses(home, made.name) == []
    backup.restore_backup(home, made.name)
    assert [accounts.person_of(home, browser) for browser in browsers] == [None] * 3
    assert accounts.list_invites(home) == []
    with pytest.raises(AccountError, match="disabled"):
        accounts.sign_in(home, "Ben", PASSWORD, "here")
    with pytest.raises(AccountError, match="is wrong"):
        accounts.sign_in(home, "Dee", PASSWORD, "here")
    accounts.set_disabled(home, "Ben", False)
    assert accounts.person_of(home, accounts.sign_in(home, "Ben", PASSWORD, "here")) == Actor("Ben", "reviewer")

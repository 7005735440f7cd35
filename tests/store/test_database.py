from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from avion_core.errors import StoreBusyError, StoreError
from avion_core.store import backups, database
from avion_core.store.database import SCHEMA, open_database, reading, writing
from avion_core.store.migrations.run import settings
from avion_core.store.projects import add_descriptions, list_projects
from avion_core.store.tables import Description, Table
from avion_core.store.verdicts import add_verdict


def test_migrations_end_at_the_tables(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    assert ScriptDirectory.from_config(settings()).get_current_head() == SCHEMA


@pytest.fixture
def sqlite(tmp_path, monkeypatch):
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    return open_database(tmp_path / "home")


def test_wal_with_foreign_keys(sqlite):
    with sqlite.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_migrations_are_valid_for_postgresql():
    sql = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": sql})
    scripts = ScriptDirectory.from_config(settings()).walk_revisions()
    with Operations.context(context):
        for script in reversed(list(scripts)):
            script.module.upgrade()
    assert sql.getvalue().count("CREATE TABLE") == len(Table.metadata.tables)
    assert "EXECUTE FUNCTION verdicts_append_only()" in sql.getvalue()
    assert "TIMESTAMP WITH TIME ZONE" in sql.getvalue()


def test_opening_twice_keeps_what_is_there(engine, project, tmp_path):
    with reading(open_database(tmp_path / "home")) as session:
        assert [row.name for row in list_projects(session)] == ["harbours"]


@pytest.mark.parametrize("name", ["My%20Drive", "a?b=c", "a#b", "with space", "Äpfel & Birnen", "%3F"])
def test_a_home_is_where_its_name_says(tmp_path, monkeypatch, name):
    """Pasted into an address, %20 was a space and what follows a ? options: the database lay elsewhere."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    engine = open_database(tmp_path / name)
    assert (tmp_path / name / "avion.sqlite3").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert backups.sqlite_file(engine.url) == tmp_path / name / "avion.sqlite3"


def test_who_reads_and_then_writes_is_alone(engine, project):
    """The contract of `writing`, in either kind of database: two who count and then add never count the same."""
    added = []

    def count_and_add(number: int) -> None:
        with writing(engine) as session:
            before = session.scalar(select(func.count()).select_from(Description))
            sleep(0.02)
            row = {"description_id": f"n{number}", "class_key": "harbor", "text": f"another {number}"}
            add_descriptions(session, project, [row])
            added.append(before)

    threads = [Thread(target=count_and_add, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == [3, 4, 5, 6, 7, 8]


def test_a_writer_who_waits_too_long_is_told(engine, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    if engine.dialect.name == "sqlite":  # its patience is fixed as it connects
        engine = open_database(backups.sqlite_file(engine.url).parent)
    with writing(engine) as first:
        list_projects(first)
        held = pytest.raises(StoreBusyError, match=r"cannot be written just now .*Another program holds it")
        with held, writing(engine) as second:
            list_projects(second)
    with writing(engine) as third:
        list_projects(third)


def test_the_database_address_is_honoured(tmp_path, monkeypatch):
    monkeypatch.setenv("AVION_DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere.sqlite3")
    open_database(tmp_path / "home")
    assert (tmp_path / "elsewhere.sqlite3").exists()
    assert not (tmp_path / "home" / "avion.sqlite3").exists()


@pytest.mark.parametrize("change", ["UPDATE verdicts SET verdict = 'reject'", "DELETE FROM verdicts"])
def test_the_database_itself_keeps_verdicts(engine, project, change):
    with writing(engine) as session:
        add_verdict(session, project, "d1", "accept", reviewer="me")
    with pytest.raises(DatabaseError, match="verdicts are append-only"), writing(engine) as session:
        session.execute(text(change))


OPEN_AND_WRITE = """
import sys
from pathlib import Path
from avion_core.store.database import open_database, writing
from avion_core.store.projects import add_descriptions, list_projects
from avion_core.store.tables import Project

folder, writer = sys.argv[1:]
engine = open_database(Path(folder))
for number in range(10):
    row = Project(
        name=f"{writer}-{number}", image_root="", modality="", teacher="", student="", recipe={}, defaults={}
    )
    with writing(engine) as session:
        list_projects(session)  # reads first, then writes: the order that meets "database is locked"
        session.add(row)
"""


def test_several_processes_open_a_new_database_and_write_at_once(tmp_path):
    # Programs of their own: a page under AppTest leaves its script as __main__, which multiprocessing would run again.
    writers = [
        subprocess.Popen([sys.executable, "-c", OPEN_AND_WRITE, str(tmp_path / "home"), f"writer-{number}"])
        for number in range(4)
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    with reading(open_database(tmp_path / "home")) as session:
        assert len(list_projects(session)) == 40


def test_a_newer_schema_is_refused(engine, tmp_path):
    with writing(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"written by a newer AVION Studio .*: 9999\. Update AVION Studio"):
        open_database(tmp_path / "home")


def test_a_home_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"home folder cannot be written .*/file/home\. .*--home or AVION_HOME"):
        open_database(tmp_path / "file" / "home")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /sys, which even root cannot write")
def test_a_read_only_folder_is_refused():
    with pytest.raises(StoreError, match=r"home folder cannot be written .*: /sys/avion\. .*--home or AVION_HOME"):
        open_database(Path("/sys/avion"))


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "avion.sqlite3").write_bytes(b"these are somebody's notes" * 100)
    with pytest.raises(StoreError, match=r"damaged, or is not a database.*avion\.sqlite3\. Move that file away"):
        open_database(tmp_path)


@pytest.mark.parametrize("url", ["nonsense", "oracle7://x", "mysql+nodriver://x"])
def test_an_address_that_cannot_be_used_is_refused(tmp_path, monkeypatch, url):
    monkeypatch.setenv("AVION_DATABASE_URL", url)
    with pytest.raises(StoreError, match=r"AVION_DATABASE_URL cannot be used .*postgresql\+psycopg"):
        open_database(tmp_path)


def test_a_password_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("AVION_DATABASE_URL", "nosuchdialect://me:secret@host/db")
    with pytest.raises(StoreError) as raised:
        open_database(tmp_path)
    assert "secret" not in str(raised.value)


def test_a_database_that_cannot_be_opened_says_so(tmp_path, monkeypatch):
    (tmp_path / "folder.sqlite3").mkdir()
    monkeypatch.setenv("AVION_DATABASE_URL", f"sqlite:///{tmp_path}/folder.sqlite3")
    with pytest.raises(StoreError, match=r"database cannot be opened .*Check that the database is reachable"):
        open_database(tmp_path / "home")


@pytest.mark.parametrize("before", [None, 0o755, 0o770])
def test_nobody_else_on_the_machine_reads_a_home(tmp_path, monkeypatch, caplog, before):
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    home = tmp_path / "home"
    if before is not None:
        open_database(home).dispose()
        home.chmod(before)
        (home / "avion.sqlite3").chmod(0o644)
    for _ in range(2):
        open_database(home).dispose()
    assert [path.stat().st_mode & 0o777 for path in (home, home / "avion.sqlite3")] == [0o700, 0o600]
    assert caplog.text.count("could read") == (0 if before is None else 1)

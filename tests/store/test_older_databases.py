"""A database of an older AVION Studio opens with all its rows; what it says of processes is the jobs' now."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from avion_core.store.database import SCHEMA, open_database, reading, writing
from avion_core.store.generations import find_generation
from avion_core.store.jobs import find_job, list_jobs, queue_again, take
from avion_core.store.migrations.run import settings
from avion_core.store.runs import count_looks, delete_run, find_run, list_runs
from avion_core.store.tables import Look

MOMENT = "2026-03-01 10:00:00.000000"
RUN = {
    "project_id": "p", "name": "first", "config": '{"a": 1}', "rule_version": 2, "stop_requested": 0,
    "stage": "training", "step": 7, "steps": 9, "epoch": 3, "created_at": MOMENT,
    "peak_bytes": 5_000_000_000, "seconds_per_step": 0.5,
}  # fmt: skip
PROCESS = {"host": "here", "pid": 4, "process_started": 1.7e9, "lease": "x", "heartbeat_at": MOMENT}


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A home folder whose database has schema 0001, with a row in every table that refers to another that changes."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    engine = create_engine(f"sqlite:///{folder / 'avion.sqlite3'}")
    with engine.begin() as connection:
        config = settings()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        put(connection, "projects", id="p", name="harbours", image_root="/x", modality="rgb", teacher="t", student="s",
            recipe="{}", defaults="{}", blind=0, created_at=MOMENT, baseline_run="r1")  # fmt: skip
        put(connection, "classes", project_id="p", class_key="pier", prompt_name="pier", local_name="", code="",
            definition="", includes="", excludes="", parent="", colour="", retired=0, merged_into="")  # fmt: skip
        put(connection, "runs", **RUN, id="r1", state="finished", device="CPU", accuracy=61.5, summary='{"steps": 9}',
            started_at=MOMENT, ended_at=MOMENT)  # fmt: skip
        put(connection, "runs", **RUN, **PROCESS, id="r2", state="running", device="H200", based_on="r1")
        put(connection, "runs", **RUN, id="r3", state="queued", device="CPU")
        put(connection, "looks", id=1, run_id="r1", who="ann", created_at=MOMENT)
        put(connection, "generations", id="g", project_id="p", settings='{"writer": "file"}', prompt_version="1",
            prompt="Write.", who="ann", classes=3, classes_done=2, state="failed", stop_requested=0, cause="writer",
            error="No key.", created_at=MOMENT)  # fmt: skip
        put(connection, "replies", id=1, project_id="p", generation_id="g", class_key="pier", data="{}", pictures=0,
            asked=5, got=5, dropped="{}", problem="", raw="[]", model="m", tokens_in=1, tokens_out=1, seconds=1.0,
            created_at=MOMENT)  # fmt: skip
    engine.dispose()
    return folder


def put(connection, table: str, **row) -> None:
    names = ", ".join(row)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"), row)


def test_runs_and_generations_keep_what_is_theirs_and_their_jobs_have_the_rest(old):
    engine = open_database(old)
    with reading(engine) as session:
        runs = {run.id: run for run in list_runs(session, "p")}
        assert sorted(runs) == ["r1", "r2", "r3"]
        first, at_work = runs["r1"], runs["r2"]
        assert (first.name, first.config, first.rule_version, first.step, first.accuracy) == (
            "first",
            {"a": 1},
            2,
            7,
            61.5,
        )
        assert (first.summary, first.peak_bytes, first.seconds_per_step) == ({"steps": 9}, 5_000_000_000, 0.5)
        job = first.job
        assert (job.kind, job.project_id, job.state, job.lane, job.device) == (
            "training",
            "p",
            "finished",
            "cpu",
            "CPU",
        )
        assert (job.done, job.total, job.stage, job.request, job.attempt) == (7, 9, "training", {}, 1)
        assert job.created_at == job.ended_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
        assert (first.origin, at_work.origin) == (None, None)
        assert (at_work.based_on, at_work.job.lane, at_work.job.submission) == ("r1", "gpu", "training")
        assert (at_work.job.host, at_work.job.boot, at_work.job.pid) == ("here", "", 4)
        assert (runs["r3"].job.state, runs["r3"].job.submission) == ("queued", None)  # it still waits for its turn
        assert count_looks(session, "r1") == 1
        generation = find_generation(session, "p")
        assert (generation.classes, generation.classes_done, generation.settings) == (3, 2, {"writer": "file"})
        job = generation.job
        assert (job.kind, job.who, job.state, job.cause, job.error) == ("writing", "ann", "failed", "writer", "No key.")
        assert session.scalar(text("SELECT generation_id FROM replies")) == "g"
        assert len(list_jobs(session)) == 4


def test_what_was_migrated_goes_on(old):
    engine = open_database(old)
    with writing(engine) as session:
        assert queue_again(session, "g")
        assert take(session, "g", host="here", boot="b", pid=1, process_started=1.0) == 2
        session.add(Look(run_id="r1", who="bob"))
    with writing(engine) as session:
        assert delete_run(session, "r1")
    with reading(engine) as session:
        assert [run.id for run in list_runs(session)] == ["r2", "r3"]
        assert find_job(session, "g").state == "running"


def test_foreign_keys_hold_after_the_migration_and_a_copy_was_made_before(old):
    engine = open_database(old)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == SCHEMA
    assert [file.name for file in (old / "backups").iterdir() if "before-migration" in file.name]
    with writing(open_database(old)) as session:
        assert find_run(session, "r1").id == "r1"


def test_a_database_with_rows_astray_is_left_as_it_is(old):
    engine = create_engine(f"sqlite:///{old / 'avion.sqlite3'}")
    with engine.begin() as connection:
        put(connection, "looks", id=2, run_id="gone", who="ann", created_at=MOMENT)
    engine.dispose()
    with pytest.raises(Exception, match="rows that refer to others which no longer exist"):
        open_database(old)
    with create_engine(f"sqlite:///{old / 'avion.sqlite3'}").connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "0001"
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 3

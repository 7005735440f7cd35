"""One table of jobs: what runs and generations said of their processes moves there, under the same ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.String(12)
_MOMENT = sa.DateTime(timezone=True)
_MOVED = (
    "state",
    "stop_requested",
    "created_at",
    "started_at",
    "ended_at",
    "lease",
    "host",
    "pid",
    "process_started",
    "heartbeat_at",
    "cause",
    "error",
)


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("project_id", _ID, nullable=True),
        sa.Column("request", sa.JSON, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("stop_asked", sa.Boolean, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("executor", sa.String(20), nullable=False, server_default=sa.text("'local'")),
        sa.Column("lane", sa.String(10), nullable=False),
        sa.Column("device", sa.String, nullable=True),
        sa.Column("submission", sa.String, nullable=True),
        sa.Column("host", sa.String, nullable=True),
        sa.Column("boot", sa.String, nullable=True),
        sa.Column("pid", sa.Integer, nullable=True),
        sa.Column("process_started", sa.Float, nullable=True),
        sa.Column("beats", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("beat_clock", sa.Float, nullable=True),
        sa.Column("heartbeat_at", _MOMENT, nullable=True),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False, server_default=sa.text("''")),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("expected_end", _MOMENT, nullable=True),
        sa.Column("result", sa.JSON, nullable=True),
        sa.Column("cause", sa.String, nullable=True),
        sa.Column("error", sa.String, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=True),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_jobs_project_id_projects"),
    )
    op.create_index("ix_jobs_project", "jobs", ["project_id", "kind", "created_at"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    # A person's name was not kept for runs; the journal has it.
    _move("runs", "training", who="'me'", lane="CASE WHEN device IS NULL OR device = 'CPU' THEN 'cpu' ELSE 'gpu' END",
          device="device", stage="stage", done="step", total="steps", expected_end="expected_end")  # fmt: skip
    _move("generations", "writing", who="who", lane="'network'", device="NULL", stage="''", done="classes_done",
          total="classes", expected_end="NULL")  # fmt: skip
    _slim("runs", ("device", "stage", "expected_end"))
    _slim("generations", ("who",))


def _move(table: str, kind: str, **values: str) -> None:
    """A job for every row, with what it said of its process; `values` are SQL for the rest."""
    same = ("id", "project_id", "state", "created_at", "started_at", "ended_at", "host", "pid", "process_started",
            "heartbeat_at", "cause", "error")  # fmt: skip
    started = f"CASE WHEN pid IS NULL THEN NULL ELSE '{kind}' END"
    columns = {
        "kind": f"'{kind}'", "stop_asked": "stop_requested", "submission": started, "boot": "''", **values,
    }  # fmt: skip
    op.execute(
        f"INSERT INTO jobs ({', '.join((*same, *columns))}) SELECT {', '.join((*same, *columns.values()))} FROM {table}"
    )


def _slim(table: str, more: tuple[str, ...]) -> None:
    """Take off what the job has now, and let the row's id be the job's."""
    op.drop_index(f"ix_{table}_project", table)
    with op.batch_alter_table(table) as batch:
        for column in (*_MOVED, *more):
            batch.drop_column(column)
        batch.create_foreign_key(f"fk_{table}_id_jobs", "jobs", ["id"], ["id"])
    op.create_index(f"ix_{table}_project", table, ["project_id"])

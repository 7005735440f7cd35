"""Projects can be archived, and deleted: verdicts and labels stay append-only, but go with their whole project."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_MOMENT = sa.DateTime(timezone=True)
_DELETING = "(SELECT deleting_since FROM projects WHERE projects.id = OLD.project_id)"


def upgrade() -> None:
    op.add_column("projects", sa.Column("archived_at", _MOMENT, nullable=True))
    op.add_column("projects", sa.Column("deleting_since", _MOMENT, nullable=True))
    for table in ("labels", "verdicts"):
        _let_go_with_the_project(table)


def _let_go_with_the_project(table: str) -> None:
    refused = f"{table} are append-only"
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            f"CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger AS $$ BEGIN "
            f"IF TG_OP = 'DELETE' AND {_DELETING} IS NOT NULL THEN RETURN OLD; END IF; "
            f"RAISE EXCEPTION '{refused}'; END $$ LANGUAGE plpgsql"
        )
        return
    op.execute(f"DROP TRIGGER {table}_no_delete")
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} WHEN {_DELETING} IS NULL "
        f"BEGIN SELECT RAISE(ABORT, '{refused}'); END"
    )

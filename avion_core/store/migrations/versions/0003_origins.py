"""Runs record where their settings came from; of those that are there already, nobody knows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("runs", sa.Column("origin", sa.JSON, nullable=True))

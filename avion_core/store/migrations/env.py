"""Alembic runs this file for each command, with the connection that `migrations.run` brings."""

from __future__ import annotations

from alembic import context

from avion_core.store.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
with context.begin_transaction():
    context.run_migrations()

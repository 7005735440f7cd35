"""Alembic migrations: package data, run by `open_database` and never by hand."""

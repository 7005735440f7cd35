"""Alembic without an ini file: the scripts lie in this package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def settings() -> Config:
    """Alembic's configuration, enough for `alembic.command` as well."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def known_schemas() -> set[str]:
    """Names of all migrations this program has."""
    return {script.revision for script in ScriptDirectory.from_config(settings()).walk_revisions()}


def migrate(connection: Connection) -> None:
    """Bring the schema up to the newest migration, inside the caller's transaction."""
    config = settings()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

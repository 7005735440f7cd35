"""The rules of selection that a project has in force, and the settings a run of it starts from."""

from __future__ import annotations

from typing import Any

from avion_core.config import DescriptionsConfig, PrototypesConfig, RunConfig, make_config
from avion_core.store import projects as rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home


def save_rules(
    home: Home, project: str, prototypes: PrototypesConfig, descriptions: DescriptionsConfig, reviewer: str = "me"
) -> int:
    """Put rules in force from now on; returns their version. Earlier versions stay on record."""
    with writing(home.engine) as session:
        project_id = rows.find_project(session, project).id
        return rows.add_rules(session, project_id, prototypes.model_dump(), descriptions.model_dump(), reviewer)


def current_rules(home: Home, project: str) -> tuple[PrototypesConfig, DescriptionsConfig, int]:
    """The rules in force and their version; the project's defaults, as version 0, when nobody saved any."""
    with reading(home.engine) as session:
        row = rows.find_project(session, project)
        saved = rows.newest_rules(session, row.id)
        config = make_config(base=row.defaults)
    if saved is None:
        return config.prototypes, config.descriptions, 0
    return (
        PrototypesConfig.model_validate(saved.prototypes),
        DescriptionsConfig.model_validate(saved.descriptions),
        saved.number,
    )


def run_config(
    home: Home, project: str, preset: str = "recommended", overrides: dict[str, Any] | None = None
) -> RunConfig:
    """Settings of a run: the project's defaults, its rules in force, a preset, then overrides with dotted keys.

    Raises:
        NotFoundError: no such project.
        ConfigError: unknown preset or key, or a value out of its range.
    """
    prototypes, descriptions, _ = current_rules(home, project)
    with reading(home.engine) as session:
        defaults = rows.find_project(session, project).defaults
    base = {**defaults, "prototypes": prototypes.model_dump(), "descriptions": descriptions.model_dump()}
    return make_config(preset, overrides, base)

"""The rules of selection that a project has in force, and the settings a run of it starts from."""

from __future__ import annotations

from typing import Any

import pandas as pd

from avion_core.config import DescriptionsConfig, PrototypesConfig, RunConfig
from avion_core.presets import make_config
from avion_core.store import journal
from avion_core.store import projects as rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Project, RuleVersion
from avion_core.usecases.policies import use_case


@use_case
def save_rules(home: Home, project: str, prototypes: PrototypesConfig, descriptions: DescriptionsConfig) -> int:
    """Put rules in force from now on; returns their version. Earlier versions stay on record."""
    reviewer = home.actor.name
    with writing(home.engine) as session:
        row = rows.find_project(session, project)
        before = _in_force(row, rows.newest_rules(session, row.id))
        number = rows.add_rules(session, row.id, prototypes.model_dump(), descriptions.model_dump(), reviewer)
        what = _what_changed(before[:2], (prototypes, descriptions))
        if number != before[2]:
            journal.note(session, row.id, "rules", f"Saved rules version {number}: {what}.", reviewer)
    return number


@use_case
def rule_versions(home: Home, project: str) -> pd.DataFrame:
    """Every version of a project's rules, the newest first.

    Columns: number (0 for the defaults that it began with), when, who (empty for the defaults), what (the settings that
    changed from the version before, in words).

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        row = rows.find_project(session, project)
        saved = rows.all_rules(session, row.id)
        before = _in_force(row, None)[:2]
        listed = [{"number": 0, "when": row.created_at, "who": "", "what": "the project's defaults"}]
    for version in saved:
        after = _settings(version)
        what = _what_changed(before, after)
        listed.append({"number": version.number, "when": version.created_at, "who": version.reviewer, "what": what})
        before = after
    return pd.DataFrame(listed[::-1], columns=["number", "when", "who", "what"])


@use_case
def current_rules(home: Home, project: str) -> tuple[PrototypesConfig, DescriptionsConfig, int]:
    """The rules in force and their version; the project's defaults, as version 0, when nobody saved any."""
    with reading(home.engine) as session:
        row = rows.find_project(session, project)
        return _in_force(row, rows.newest_rules(session, row.id))


@use_case
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


def _in_force(project: Project, newest: RuleVersion | None) -> tuple[PrototypesConfig, DescriptionsConfig, int]:
    if newest is None:
        config = make_config(base=project.defaults)
        return config.prototypes, config.descriptions, 0
    return *_settings(newest), newest.number


def _settings(version: RuleVersion) -> tuple[PrototypesConfig, DescriptionsConfig]:
    return PrototypesConfig.model_validate(version.prototypes), DescriptionsConfig.model_validate(version.descriptions)


def _what_changed(
    before: tuple[PrototypesConfig, DescriptionsConfig], after: tuple[PrototypesConfig, DescriptionsConfig]
) -> str:
    """ "zeta 3.0 → 2.5, flag_mode soft → hard", or "nothing"."""
    changes = [
        f"{name} {value} → {getattr(new, name)}"
        for old, new in zip(before, after, strict=True)
        for name, value in old
        if value != getattr(new, name)
    ]
    return ", ".join(changes) or "nothing"

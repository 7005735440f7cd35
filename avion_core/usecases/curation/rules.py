"""The rules of selection that a project has in force, and the settings a run of it starts from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from avion_core.config import DescriptionsConfig, PrototypesConfig, RunConfig
from avion_core.errors import EditedMeanwhileError, NotFoundError
from avion_core.presets import make_config
from avion_core.store import journal
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import add_rules, all_rules, find_project, newest_rules
from avion_core.store.tables import Project, RuleVersion
from avion_core.usecases.policies import use_case


@use_case
def save_rules(
    home: Home,
    project: str,
    prototypes: PrototypesConfig,
    descriptions: DescriptionsConfig,
    *,
    opened: int | None = None,
) -> int:
    """Put rules in force from now on; returns their version. Earlier versions stay on record.

    Args:
        opened: the version that somebody began from. Rules hold together, so another one since is at odds with theirs
            whichever numbers it changed.

    Raises:
        EditedMeanwhileError: somebody else has saved other rules since.
    """
    reviewer = home.actor.name
    with writing(home.engine) as session:
        row = find_project(session, project)
        before = _in_force(row, newest_rules(session, row.id))
        if opened not in (None, before[2]) and before[:2] != (prototypes, descriptions):
            yours, now = _differing((prototypes, descriptions), before[:2])
            hint = "Compare the two, then save yours or take theirs."
            what = f"rules version {before[2]} was saved meanwhile"
            raise EditedMeanwhileError(what, hint, yours=yours, now=now)
        number = add_rules(session, row.id, prototypes.model_dump(), descriptions.model_dump(), reviewer)
        what = _what_changed(before[:2], (prototypes, descriptions))
        if number != before[2]:
            journal.note(session, row.id, "rules", f"Saved rules version {number}: {what}.", reviewer)
    return number


@use_case
def restore_rules(home: Home, project: str, number: int, *, opened: int | None = None) -> int:
    """Put an earlier version of the rules in force again, as a new version; returns its number.

    Args:
        number: the version, 0 for the defaults that the project began with.
        opened: as `save_rules` takes it.

    Raises:
        NotFoundError: no such project, or no such version.
        EditedMeanwhileError: somebody else has saved other rules since.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        saved = {version.number: version for version in all_rules(session, row.id)}
        if number and number not in saved:
            hint = f"Versions are 0 to {max(saved, default=0)}."
            raise NotFoundError("the rules have no such version", hint, value=number)
        wanted = _settings(saved[number]) if number else _in_force(row, None)[:2]
        project_id = row.id
    return save_rules(home, project_id, *wanted, opened=opened)


@use_case
def rule_versions(home: Home, project: str) -> pd.DataFrame:
    """Every version of a project's rules, the newest first.

    Columns: number (0 for the defaults that it began with), when, who (empty for the defaults), what (the settings that
    changed from the version before, in words).

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        saved = all_rules(session, row.id)
        before = _in_force(row, None)[:2]
        listed = [{"number": 0, "when": row.created_at, "who": "", "what": "the project's defaults"}]
    for version in saved:
        after = _settings(version)
        what = _what_changed(before, after)
        listed.append({"number": version.number, "when": version.created_at, "who": version.reviewer, "what": what})
        before = after
    return pd.DataFrame(listed[::-1], columns=["number", "when", "who", "what"])


@dataclass(frozen=True)
class SavedRules:
    """One version of a project's rules."""

    number: int
    """0 for the defaults that the project began with."""
    when: datetime
    who: str
    """Empty for the defaults."""
    prototypes: PrototypesConfig
    descriptions: DescriptionsConfig


@use_case
def saved_rules(home: Home, project: str) -> list[SavedRules]:
    """Every version of a project's rules in full, the oldest first.

    Raises:
        NotFoundError: no such project.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        found = [SavedRules(0, row.created_at, "", *_in_force(row, None)[:2])]
        for version in all_rules(session, row.id):
            found.append(SavedRules(version.number, version.created_at, version.reviewer, *_settings(version)))
    return found


@use_case
def current_rules(home: Home, project: str) -> tuple[PrototypesConfig, DescriptionsConfig, int]:
    """The rules in force and their version; the project's defaults, as version 0, when nobody saved any."""
    with reading(home.engine) as session:
        row = find_project(session, project)
        return _in_force(row, newest_rules(session, row.id))


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
        defaults = find_project(session, project).defaults
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
    old, new = _differing(before, after)
    return ", ".join(f"{name} {value} → {new[name]}" for name, value in old.items()) or "nothing"


def _differing(
    one: tuple[PrototypesConfig, DescriptionsConfig], other: tuple[PrototypesConfig, DescriptionsConfig]
) -> tuple[dict[str, str], dict[str, str]]:
    """Name -> value of the settings that differ, in the one and in the other."""
    names = [(number, name) for number, rules in enumerate(one) for name in type(rules).model_fields]
    unlike = [(number, name) for number, name in names if getattr(one[number], name) != getattr(other[number], name)]
    both = [{name: str(getattr(rules[number], name)) for number, name in unlike} for rules in (one, other)]
    return both[0], both[1]

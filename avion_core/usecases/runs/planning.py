"""Where a run's settings come from: a preset or an earlier run, the project's rules, and what a person chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from avion_core.config import DescriptionsConfig, PrototypesConfig, RunConfig
from avion_core.methods import find_method
from avion_core.presets import PRESETS, make_config, parse_config
from avion_core.protocols import find_protocol
from avion_core.settings import fields, flatten
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.runs import find_run
from avion_core.store.tables import Run
from avion_core.usecases.curation.rules import current_rules, run_config
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.label_budget import LabelBudget

_OPEN = (
    *("data.", "protocol.", "teacher", "student", "device"),
    *("distillation.precision", "distillation.validate_every", "distillation.checkpoint_seconds"),
)
"""Beginnings of the settings that a preset's name says nothing of, unless the preset fixes them."""


class Origin(BaseModel):
    """Where a run's settings came from, as recorded when it was made."""

    model_config = ConfigDict(frozen=True)

    preset: str = ""
    """The preset that it began from, over however many runs; "" where that was not recorded."""
    followed: tuple[str, ...] = ()
    """Settings (dotted keys) that were the project's rules, and neither the preset's nor chosen for the run."""
    labels: LabelBudget | None = None
    """What its descriptions and verdicts have seen; None where that was not recorded."""


@dataclass(frozen=True)
class Plan:
    """A run to come: its settings, where they come from, and the name it gets if nobody gives it one."""

    config: RunConfig
    origin: Origin
    name: str


@use_case
def plan_run(
    home: Home,
    project: str,
    preset: str = "recommended",
    overrides: dict[str, Any] | None = None,
    based_on: str | None = None,
) -> Plan:
    """Settings of a run to come: a preset's (see `rules.run_config`), or those of an earlier run; then overrides.

    What followed the project's rules in the earlier run follows them as they stand now, by its record. A run of a
    version that kept no such record keeps all its settings.

    Raises:
        NotFoundError: no such project, or no such earlier run.
        ConfigError: settings that cannot be used.
    """
    if based_on is None:
        config = run_config(home, project, preset, overrides)
        followed = _rules() - flatten(PRESETS[preset]).keys()
    else:
        with reading(home.engine) as session:
            run = find_run(session, based_on)
            settings, origin = flatten(parse_config(run.config).model_dump()), origin_of(run)
            preset = origin.preset if origin else _claimed(run)
        followed = _rules() & {*origin.followed} if origin else set[str]()
        prototypes, descriptions, _ = current_rules(home, project)
        now = flatten({"prototypes": prototypes.model_dump(), "descriptions": descriptions.model_dump()})
        config = make_config(overrides=overrides, base=settings | {key: now[key] for key in followed})
    origin = Origin(preset=preset, followed=tuple(sorted(followed - flatten(overrides or {}).keys())))
    protocol = find_protocol(config.protocol.name)
    how = protocol.title.lower() if protocol.by_captions else f"{config.data.shots}-shot"
    name = f"{_what(home, project, preset, config)}, {how}, seed {config.data.seed}"
    return Plan(config, origin, name)


@use_case
def planned_config(
    home: Home,
    project: str,
    preset: str = "recommended",
    overrides: dict[str, Any] | None = None,
    based_on: str | None = None,
) -> RunConfig:
    """The settings of `plan_run`."""
    return plan_run(home, project, preset, overrides, based_on).config


@use_case
def by_project_ids(home: Home, config: RunConfig) -> RunConfig:
    """The settings with other projects by their ids: a project may get another name.

    Raises:
        NotFoundError: there is no such project.
    """
    ids = tuple(get_project(home, other).id for other in config.protocol.projects)
    return config.model_copy(update={"protocol": config.protocol.model_copy(update={"projects": ids})})


def origin_of(run: Run) -> Origin | None:
    """Where a run's settings came from; None where that was not recorded, or not so that it can be read."""
    try:
        return None if run.origin is None else Origin.model_validate(run.origin)
    except ValidationError:
        return None


def _rules() -> set[str]:
    """The settings that a project's rules hold, by dotted keys."""
    stages = {"prototypes": PrototypesConfig, "descriptions": DescriptionsConfig}
    return {f"{stage}.{key}" for stage, model in stages.items() for key in fields(model)}


def _claimed(run: Run) -> str:
    """The preset in the name of a run without a record; `_what` sees whether it holds."""
    first = run.name.split(",")[0]
    return first if first in PRESETS else ""


def _what(home: Home, project: str, preset: str, config: RunConfig) -> str:
    """The beginning of a run's name: a preset only where all that it says holds of the settings."""
    if config.method != PRESETS.get(preset, {}).get("method", "avion"):
        return find_method(config.method).title
    if preset not in PRESETS:
        return "own settings"
    fixed = flatten(PRESETS[preset])
    chosen = {
        key: value for key, value in flatten(config.model_dump()).items() if key.startswith(_OPEN) and key not in fixed
    }
    return preset if run_config(home, project, preset, chosen) == config else f"{preset} with changes"

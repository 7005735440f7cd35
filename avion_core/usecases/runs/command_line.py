"""The command that would start the same training."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from avion_core.config import RunConfig
from avion_core.settings import flatten, write_pair
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.policies import use_case

_OPTIONS = {
    "method": "--method",
    "protocol.name": "--protocol",
    "data.shots": "--shots",
    "data.seed": "--seed",
    "distillation.epochs": "--epochs",
}


@use_case
def cli_command(
    home: Home,
    project: str,
    config: RunConfig,
    shots: Sequence[int] = (),
    seeds: Sequence[int] = (),
    *,
    preset: str = "recommended",
    name: str = "",
) -> str:
    """The command line that trains a project with these settings; with `shots` and `seeds`, each pair in turn.

    Args:
        preset: where the settings began; it is named where that makes the command shorter.
    """
    with reading(home.engine) as session:
        of_project = find_project(session, project).name
    varied = ("data.shots", "data.seed") if shots else ()
    settings = {key: value for key, value in flatten(config.model_dump()).items() if key not in varied}
    ways = [_options(home, project, settings, begun) for begun in dict.fromkeys(("recommended", preset))]
    words = min(ways, key=len)
    if name.strip():
        words += ["--name", shlex.quote(name.strip())]
    if shots:
        words += ["--shots", '"$shots"', "--seed", '"$seed"']
    named = shlex.quote(of_project)
    # After the bare -- a name that begins with a dash is no option.
    one = " ".join(["avion", "train", *([*words, "--", named] if named.startswith("-") else [named, *words])])
    if not shots:
        return one
    every = {"shots": " ".join(map(str, shots)), "seed": " ".join(map(str, seeds))}
    return f"for shots in {every['shots']}; do for seed in {every['seed']}; do {one}; done; done"


def _options(home: Home, project: str, settings: dict[str, Any], preset: str) -> list[str]:
    """The options that lead from a preset to these settings (dotted keys)."""
    # The number of passes may follow from the protocol, which is named first.
    protocol = run_config(home, project, preset).protocol.name
    begun = run_config(home, project, preset, {"protocol.name": settings["protocol.name"]})
    usual = flatten(begun.model_dump()) | {"protocol.name": protocol}
    words = [] if preset == "recommended" else ["--preset", preset]
    for key, value in settings.items():
        if key in usual and value == usual[key]:
            continue
        if key in _OPTIONS:
            words += [_OPTIONS[key], str(value)]
        else:
            words += ["--set", shlex.quote(write_pair(key, value))]
    return words

"""What is installed, what is missing, and what to do about it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from avion_core.errors import AvionError
from avion_core.store.database import SCHEMA
from avion_core.store.home import Home
from avion_core.studio.preflight import Check
from avion_core.studio.training import list_runs


def examine(folder: Path | None = None) -> list[Check]:
    """Look at this machine and a home folder (AVION_HOME when None). Nothing that is found raises."""
    home = Home(folder)
    return [*_machine(), *_home(home), *_models(home)]


def _machine() -> Iterator[Check]:
    import torch

    yield Check("Python", f"{platform.python_version()} on {platform.platform()}.", "ok")
    if torch.cuda.is_available():
        yield Check("Device", f"{torch.cuda.get_device_name()}, torch {torch.__version__}.", "ok")
    else:
        yield Check("Device", f"processor with {torch.get_num_threads()} threads, torch {torch.__version__}.", "ok")


def _home(home: Home) -> Iterator[Check]:
    try:
        lost = [run.id for run in list_runs(home) if run.state == "lost"]
    except AvionError as error:
        yield Check("Home", f"{error.what}.", "error", error.way_out)
        return
    yield Check("Home", f"{home.path}, database schema {SCHEMA}.", "ok")
    room = shutil.disk_usage(home.path).free / 1e9
    if room < 5:
        yield Check("Disk", f"{room:.1f} GB are free.", "warning", "Large teachers take 4 GB each.")
    else:
        yield Check("Disk", f"{room:.0f} GB are free.", "ok")
    if lost:
        mend = "Take them up again with `avion train --resume RUN`."
        yield Check("Runs", f"{len(lost)} lost their process: {', '.join(lost)}.", "warning", mend)


def _models(home: Home) -> Iterator[Check]:
    from avion_core.backbones.catalog import CATALOG

    for entry in CATALOG.values():
        try:
            installed = home.weights.path(entry.name)
        except AvionError as error:
            yield Check(entry.title, f"{error.what}.", "error", error.way_out)
            continue
        if installed:
            yield Check(entry.title, f"installed: {installed}.", "ok")
        elif entry.hub_repo is None:
            yield Check(
                entry.title, "is missing.", "error", "Install the package from a checkout that has demo/weights."
            )
        else:
            yield Check(entry.title, "is not installed.", "ok", f"`avion models download {entry.name}` fetches it.")

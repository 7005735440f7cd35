"""What killed processes left behind in a home: files and folders under the names that unfinished ones have."""

from __future__ import annotations

from pathlib import Path

from avion_core.files import UNFINISHED, clear_leftovers
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case

_PLACES = ("*", "backups/*", "features/*/*", "generations/*/*", "jobs/*/*", "projects/*/*", "projects/*/*/*",
           "runs/*/*", "runs/*/*/*", "weights/*/*")  # fmt: skip


@use_case
def clear_home(home: Home) -> list[Path]:
    """Delete what no living process still writes; returns what was deleted."""
    return [path for place in _PLACES for path in clear_leftovers(home.path.glob(f"{place}{UNFINISHED}"))]

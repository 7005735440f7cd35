"""`avion ...`: the studio's use cases from a command line. `avion --help` is the tour."""

from avion_core.cli import (  # noqa: F401 (their commands register themselves)
    admin,
    capsule,
    datasets,
    exchange,
    jobs,
    labels,
    placebo,
    projects,
    runs,
    sweeps,
    training,
    whole_projects,
    writing,
)
from avion_core.cli.tour import app


def main() -> None:
    """Entry point of the command `avion`."""
    app(prog_name="avion")

"""What a project has reached: from class names alone to the trained student, on the same images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avion_core.store.home import Home
from avion_core.usecases.insight.evaluation import kept_report
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.listing import page_of_runs
from avion_core.usecases.runs.views import RunView

# Row of the report -> what it is called; the run's own row comes last.
_BEFORE = (
    ("zero_shot", "teacher", "Teacher, class names"),
    ("text_prototypes", "teacher", "Teacher, your descriptions"),
    ("zero_shot", "student", "Student, untrained"),
)


@dataclass(frozen=True)
class Rung:
    """One accuracy: percent, with the bounds of its 95 % interval (Wilson's)."""

    title: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ladder:
    """What the newest measured run and the simpler ways beside it reach."""

    run: str
    """Its id."""
    name: str
    part: str
    """The title of the classes that were measured; "" for all."""
    images: int
    """How many validation images each accuracy is of."""
    rungs: list[Rung]
    """The run's own is the last."""


@use_case
def ladder(home: Home, project: str) -> Ladder | None:
    """The ladder of the newest finished run that was measured on validation images; None where there is none.

    It reads what was measured; nothing is computed, and the sealed test set is not looked at.

    Raises:
        NotFoundError: no such project.
    """
    for run in _finished(home, project):
        report = kept_report(home, run.id, "validation")
        if report is None or report.by_captions:
            continue
        part = report.parts[0]
        rows = [(title, report.figure(part.name, "accuracy", method, model)) for method, model, title in _BEFORE]
        rows.append((run.name, report.figure(part.name, "accuracy")))
        found = [(title, row) for title, row in rows if row is not None]
        if not found:
            continue
        rungs = [Rung(title, float(row["value"]), float(row["low"]), float(row["high"])) for title, row in found]
        return Ladder(run.id, run.name, part.title, int(found[-1][1]["n"]), rungs)
    return None


def _finished(home: Home, project: str) -> Iterator[RunView]:
    """The finished runs, the newest first; of thousands, as many are read as are asked for."""
    number, pages = 1, 1
    while number <= pages:
        found = page_of_runs(home, project, statuses=("finished",), page=number)
        yield from found.rows
        number, pages = number + 1, found.pages

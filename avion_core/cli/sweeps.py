"""Commands for sweeps: a grid of runs in one file, and its tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from avion_core.cli.frame import Answer, Desk, command, table
from avion_core.cli.tour import Preview, sweeps

if TYPE_CHECKING:
    from avion_core.usecases.runs.sweeps import Cell

SweepFile = Annotated[Path, typer.Argument(metavar="FILE", help="A grid in YAML; see docs/sweeps.md.")]


@command(sweeps, "run")
def run_(desk: Desk, file: SweepFile, preview: Preview = False) -> Answer:
    """Queue the runs of a grid that are missing, resume those that were stopped, and skip what is done."""
    from avion_core.usecases.runs.sweeps import launch_grid, read_sweep, sweep_cells

    sweep = read_sweep(desk.home, file)
    before = Counter(cell.state for cell in sweep_cells(desk.home, sweep))
    cells = sweep_cells(desk.home, sweep) if preview else launch_grid(desk.home, sweep)
    said = f"{before['finished']:,} of {len(cells):,} runs are finished"
    said += f"; {before['missing']:,} {'would be' if preview else 'were'} queued." if before["missing"] else "."
    return _answer(cells, said, f"avion sweeps show {file}")


@command(sweeps, "show")
def show(desk: Desk, file: SweepFile) -> Answer:
    """How the runs of a grid stand."""
    from avion_core.usecases.runs.sweeps import read_sweep, sweep_cells

    cells = sweep_cells(desk.home, read_sweep(desk.home, file))
    done = sum(cell.state == "finished" for cell in cells)
    return _answer(cells, f"{done:,} of {len(cells):,} runs are finished.", f"avion sweeps table {file}")


@command(sweeps, "measure")
def measure(desk: Desk, file: SweepFile) -> Answer:
    """Have the finished runs of a grid evaluated on its split, in the background; the test set counts the looks."""
    from avion_core.usecases.insight.sweep_tables import measure_sweep
    from avion_core.usecases.runs.sweeps import read_sweep

    started = measure_sweep(desk.home, read_sweep(desk.home, file))
    said = f"Evaluations queued: {', '.join(started)}." if started else "Every finished run is measured already."
    return Answer({"jobs": started}, f"{said}\nNext:  avion sweeps table {file}")


@command(sweeps, "table")
def table_(
    desk: Desk,
    file: SweepFile,
    form: Annotated[
        Literal["markdown", "csv", "latex"], typer.Option("--format", help="How it is written.")
    ] = "markdown",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead.")] = None,
) -> Answer:
    """The figures of a grid: mean and deviation over seeds, cost, and the paper's numbers in a column of their own."""
    from avion_core.files import write_text
    from avion_core.usecases.insight.sweep_tables import sweep_document, sweep_table
    from avion_core.usecases.runs.sweeps import read_sweep

    sweep = read_sweep(desk.home, file)
    text = sweep_document(desk.home, sweep, form)
    rows = sweep_table(desk.home, sweep).to_dict("records")
    if out is not None:
        write_text(out, text)
        return Answer({"file": out, "figures": rows}, f"{out}: {len(rows):,} figures.")
    return Answer({"figures": rows}, text if rows else f"Nothing is measured yet.\nNext:  avion sweeps measure {file}")


def _answer(cells: list[Cell], said: str, after: str) -> Answer:
    rows = [
        {
            "row": cell.title, "project": cell.project, "protocol": cell.protocol, "shots": cell.config.data.shots,
            "seed": cell.config.data.seed, "state": cell.state, "run": cell.run.id if cell.run else None,
        }
        for cell in cells
    ]  # fmt: skip
    columns = ["row", "project", "protocol", "shots", "seed", "state", "run"]
    return Answer({"runs": rows}, f"{table(rows, columns)}\n\n{said}\nNext:  {after}")

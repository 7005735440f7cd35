"""A training's curves: metrics.jsonl in its folder, a line a step."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from avion_core.errors import DataError
from avion_core.jobs.log import open_to_append
from avion_core.reading import Subject, parse_json

METRICS = "metrics.jsonl"

_LINE = Subject("a line of the curves")
_STEP = re.compile(rb'\{"step": (\d{1,12}),.*\}$')


class CurveFile:
    """Appends steps to the curves of a run's folder while it is entered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> CurveFile:
        self._file = open_to_append(self._folder / METRICS)
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, step: int, epoch: int, values: dict[str, Any]) -> None:
        print(json.dumps({"step": step, "epoch": epoch, **values}), file=self._file, flush=True)


@dataclass(frozen=True)
class Curves:
    """A run's curves, thinned for display where there are too many steps."""

    table: pd.DataFrame
    """One row per step shown: step, epoch and every value, NaN where it was not measured."""
    measured: int
    """Steps in the file."""
    stride: int
    """Every how many-th of them is in the table; the last one and every validation are in it besides."""

    @property
    def statement(self) -> str:
        """What is drawn, exactly; empty where it is everything."""
        if self.stride == 1:
            return ""
        return (
            f"Drawn: {len(self.table):,} of {self.measured:,} measured steps (every {self.stride}th, every validation "
            "and the last). The run's metrics.jsonl has them all."
        )


def read_curves(folder: Path, most: int | None = None) -> Curves:
    """The measured steps of a run.

    A run that was cut off and resumed has walked some steps twice: the later line counts. A last line that was cut
    off with the process is left out. Only lines that are shown are parsed, so that 100,000 steps stay quick.

    Args:
        most: thin evenly to about this many steps; None reads all.
    """
    path = folder / METRICS
    latest: dict[int, bytes] = {}
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        if (found := _STEP.match(line)) is not None:
            latest[int(found[1])] = line
    steps = sorted(latest)
    stride = 1 if most is None else max(1, -(-len(steps) // most))
    shown = [
        step
        for place, step in enumerate(steps)
        if place % stride == 0 or place == len(steps) - 1 or b'"validation_' in latest[step]
    ]
    rows = [row for step in shown if (row := _row(latest[step])) is not None]
    return Curves(pd.DataFrame(rows or None, columns=None if rows else ["step", "epoch"]), len(steps), stride)


def _row(line: bytes) -> dict[str, Any] | None:
    """A step's values; None for a line that was damaged on the disk."""
    try:
        row = parse_json(line, _LINE)
    except DataError:
        return None
    return {name: value for name, value in row.items() if isinstance(value, int | float)}


def seconds_since_step(folder: Path) -> float | None:
    """How long ago the newest step was written; None before the first."""
    path = folder / METRICS
    return max(0.0, time.time() - path.stat().st_mtime) if path.exists() and path.stat().st_size else None

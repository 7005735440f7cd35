"""What a run writes beside its results: metrics.jsonl for the curves and log.txt for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from avion_core.store.tables import now

METRICS = "metrics.jsonl"
LOG = "log.txt"


class RunFiles:
    """Appends to both files of a run folder while it is entered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> RunFiles:
        self._metrics = _open_to_append(self._folder / METRICS)
        self._log = _open_to_append(self._folder / LOG)
        return self

    def __exit__(self, *exception: object) -> None:
        self._metrics.close()
        self._log.close()

    def metrics(self, step: int, epoch: int, values: dict[str, Any]) -> None:
        print(json.dumps({"step": step, "epoch": epoch, **values}), file=self._metrics, flush=True)

    def log(self, message: str) -> None:
        print(f"{now():%Y-%m-%d %H:%M:%S} {message}", file=self._log, flush=True)


def read_curves(folder: Path) -> pd.DataFrame:
    """One row per measured step: step, epoch and every value, NaN where it was not measured.

    A run that was cut off and resumed has walked some steps twice: the later line counts. A last line that was cut
    off with the process is left out.
    """
    rows: dict[int, dict[str, Any]] = {}
    if (folder / METRICS).exists():
        for line in (folder / METRICS).read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            rows[row["step"]] = rows.get(row["step"], {}) | row
    return pd.DataFrame([rows[step] for step in sorted(rows)] or None, columns=None if rows else ["step", "epoch"])


def log_tail(folder: Path, lines: int) -> list[str]:
    """The last lines of the log."""
    if not (folder / LOG).exists():
        return []
    return (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]


def _open_to_append(path: Path) -> TextIO:
    """Begin on a new line, even where a killed process left half of one."""
    file = path.open("a+b")
    if file.tell() > 0:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            file.write(b"\n")
    file.close()
    return path.open("a", encoding="utf-8")

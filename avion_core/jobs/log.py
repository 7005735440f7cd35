"""A job's log: log.txt in its folder, for people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TextIO

from avion_core.store.tables import now

LOG = "log.txt"


class JobLog:
    """Appends to the log of a job's folder while it is entered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> JobLog:
        self._file = open_to_append(self._folder / LOG)
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, message: str) -> None:
        print(f"{now():%Y-%m-%d %H:%M:%S} {message}", file=self._file, flush=True)


def log_tail(folder: Path, lines: int) -> list[str]:
    """The last lines of the log."""
    if not (folder / LOG).exists():
        return []
    return (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]


def last_line(folder: Path) -> str:
    """The last line of the log that says something, without its time; "" where there is none."""
    said = [line for line in log_tail(folder, 20) if line.strip()]
    return re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", said[-1]).strip() if said else ""


def open_to_append(path: Path) -> TextIO:
    """Begin on a new line, even where a killed process left half of one."""
    file = path.open("a+b")
    if file.tell() > 0:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            file.write(b"\n")
    file.close()
    return path.open("a", encoding="utf-8")

"""What an executor knows of a process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """Whether a job's process is there.

    alive: None where that cannot be told from here. how: how it ended, in brackets after a space; "" where nobody
    knows.
    """

    alive: bool | None
    how: str = ""

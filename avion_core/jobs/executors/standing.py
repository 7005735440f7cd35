"""What an executor says of a job: where it is to be done, and whether its process is there."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avion_core.store.home import Home
    from avion_core.store.tables import Job


@dataclass(frozen=True)
class Place:
    """Where a job is to be done, as its row has it."""

    executor: str
    lane: str
    """ "cpu", "gpu" or "network"."""
    device: str | None = None
    """Its name; None where it is not known before the job runs."""


@dataclass(frozen=True)
class Standing:
    """Whether a job's process is there."""

    alive: bool | None
    """None where that cannot be told from here."""
    how: str = ""
    """How it ended or why it cannot be told, in brackets after a space; "" where nobody knows."""
    asked: bool = True
    """False where the executor could not be asked just now, so that a job which only waits with it is not given up."""


def submission_name(job: Job) -> str:
    """The name of this attempt of a job with its executor."""
    return f"{job.id}-{job.attempt}"


def attempt_options(home: Home, job: Job) -> list[str]:
    """What tells a worker which attempt of which job to take."""
    return ["--home", str(home.path), "--job", job.id, "--attempt", str(job.attempt)]


def how_ended(code: int | None) -> str:
    """How a process with this exit code ended, as `Standing.how`; a shell adds 128 to the number of a signal."""
    if code is None:
        return ""
    number = -code if code < 0 else code - 128
    if number not in signal.valid_signals():
        return f" (exit code {code})"
    name = signal.Signals(number).name
    return f" ({name}, which the system sends when memory runs out)" if name == "SIGKILL" else f" ({name})"

"""Telling one process from another that has got its number since."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import psutil

# Linux keeps a start time in ticks since boot; set the clock, and the same process seems to have begun a moment apart.
_CLOCK_SLACK_SECONDS = 2.0


@dataclass(frozen=True)
class ProcessId:
    """A process for good: the machine, the pid, and when it began (seconds since 1970)."""

    host: str
    pid: int
    process_started: float


def this_process() -> ProcessId:
    """The identity of the process that asks."""
    return identify(os.getpid())


def identify(pid: int) -> ProcessId:
    """The identity of a living process of this machine.

    Raises:
        psutil.NoSuchProcess: there is none of that number.
    """
    return ProcessId(socket.gethostname(), pid, psutil.Process(pid).create_time())


def find_living(process: ProcessId) -> psutil.Process | None:
    """That very process of this machine while it does work.

    None when its number is free or somebody else's by now, and when it is a zombie: a process that has ended and
    that its parent has not asked about.
    """
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.process_started) < _CLOCK_SLACK_SECONDS
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None

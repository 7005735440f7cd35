"""Telling one process from another that has got its number since, whatever somebody does to the clock."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

# Where the system tells no start of its own, a start time is by the wall clock, and setting that shifts it a little.
_CLOCK_SLACK_SECONDS = 2.0
_PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    """A process for good."""

    host: str
    boot: str
    """Which start of the machine it belongs to; "" where the system does not say, and of rows that are older."""
    pid: int
    process_started: float
    """Seconds from that start of the machine to the process's, or since 1970 where boot is ""."""


def this_process() -> ProcessId:
    """The identity of the process that asks."""
    return identify(os.getpid())


def identify(pid: int) -> ProcessId:
    """The identity of a living process of this machine.

    Raises:
        psutil.NoSuchProcess: there is none of that number.
    """
    boot = this_boot()
    started = _seconds_after_boot(pid) if boot else psutil.Process(pid).create_time()
    return ProcessId(socket.gethostname(), boot, pid, started)


def find_living(process: ProcessId) -> psutil.Process | None:
    """That very process of this machine while it does work.

    None when its number is free or somebody else's by now, when the machine was started again since, and when it is a
    zombie: a process that has ended and that its parent has not asked about.
    """
    if process.boot and process.boot != this_boot():
        return None
    try:
        found = psutil.Process(process.pid)
        if process.boot:
            same = _seconds_after_boot(process.pid) == process.process_started
        else:
            same = abs(found.create_time() - process.process_started) < _CLOCK_SLACK_SECONDS
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


@cache
def this_boot() -> str:
    """A name for the time since the machine was started; "" where the system has none."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def machine_seconds() -> float:
    """The machine's own clock: the same for all its processes, always forward, and nobody sets it."""
    return time.monotonic()


def _seconds_after_boot(pid: int) -> float:
    """When a process began, from the kernel's own count of ticks (field 22 of /proc/PID/stat)."""
    try:
        told = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    # The second field, the program's name in brackets, may hold anything: what is counted stands behind it.
    return int(told.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")

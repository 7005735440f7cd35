"""The queue: runs that wait are started one after another, on each device by a process of its own.

    python -m avion_core.jobs.queue --home FOLDER --lane cpu

It holds a lock file while it works, so there is one per home, machine and device; the lock falls with the process. It
ends when nothing waits any more. A run that crashes takes neither the queue nor the other runs with it.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from avion_core.jobs import local
from avion_core.jobs.devices import LANES, Lane, lane_of
from avion_core.jobs.process import this_process
from avion_core.jobs.stopping import stop_on_signals
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.runs import list_runs
from avion_core.store.tables import Run

QUEUE: Sequence[str] = (sys.executable, "-m", "avion_core.jobs.queue")
LOOK_SECONDS = 1.0
_LOCK_SECONDS = 0.5
"""Longer than `is_served` holds the lock when it asks."""


def ensure_served(home: Home) -> None:
    """See to it that somebody works on every queue in which runs wait."""
    for lane in LANES:
        if _waiting(home, lane) and not is_served(home, lane):
            local.detach([*QUEUE, "--home", str(home.path), "--lane", lane], home.path / f"queue-{lane}.log")


def is_served(home: Home, lane: Lane) -> bool:
    """Whether a process of this machine works on the queue of a device."""
    try:
        with _lock(home, lane).acquire(timeout=0):
            return False
    except Timeout:
        return True


def is_busy(home: Home, lane: Lane) -> bool:
    """Whether a run computes on this device of this machine, or is about to."""
    host = this_process().host
    with reading(home.engine) as session:
        return any(
            run.state in ("queued", "running") and run.host == host and lane_of(run.device) == lane
            for run in list_runs(session)
        )


def serve(home: Home, lane: Lane, stop: threading.Event) -> None:
    """Start the waiting runs of a device one after another; return when none waits, or somebody else serves."""
    # Asked again after the lock was given back: a run that was queued in that moment would find nobody.
    while not stop.is_set() and _waiting(home, lane):
        try:
            with _lock(home, lane).acquire(timeout=_LOCK_SECONDS):
                _drain(home, lane, stop)
        except Timeout:
            return


def main() -> int:
    """Entry of the detached process."""
    parser = argparse.ArgumentParser(prog="python -m avion_core.jobs.queue")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--lane", choices=LANES, required=True)
    arguments = parser.parse_args()
    with stop_on_signals() as stop:
        serve(Home(arguments.home), arguments.lane, stop)
    return 0


def _drain(home: Home, lane: Lane, stop: threading.Event) -> None:
    while waiting := _waiting(home, lane):
        local.refresh(home)
        if not is_busy(home, lane):
            local.start(home, waiting[0].id)
        if stop.wait(LOOK_SECONDS):
            return


def _waiting(home: Home, lane: Lane) -> list[Run]:
    """Queued runs that no process was started for, the oldest first; of those whose inputs are on this machine."""
    with reading(home.engine) as session:
        runs = [run for run in list_runs(session) if run.state == "queued" and run.pid is None]
    here = [run for run in runs if lane_of(run.device) == lane and (home.run_folder(run.id) / "inputs").is_dir()]
    return here[::-1]


def _lock(home: Home, lane: Lane) -> FileLock:
    return FileLock(home.path / f"queue-{this_process().host}-{lane}.lock")


if __name__ == "__main__":
    sys.exit(main())

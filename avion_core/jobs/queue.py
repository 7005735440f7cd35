"""The queue: jobs that wait are started one after another, in each lane by a process of its own.

    python -m avion_core.jobs.queue --home FOLDER --lane cpu

It holds a lock file while it works, so there is one per home, machine and lane; the lock falls with the process. It
ends when nothing waits any more. A job that crashes takes neither the queue nor the other jobs with it.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from avion_core.actor import STUDIO
from avion_core.jobs.devices import LANES
from avion_core.jobs.executors import find_executor, local
from avion_core.jobs.kinds import KINDS, job_folder
from avion_core.jobs.process import this_process
from avion_core.jobs.reconcile import is_waiting, reconcile
from avion_core.jobs.stopping import stop_on_signals
from avion_core.store.database import reading
from avion_core.store.home import Home
from avion_core.store.jobs import ACTIVE, list_jobs
from avion_core.store.tables import Job

QUEUE: Sequence[str] = (sys.executable, "-m", "avion_core.jobs.queue")
LOOK_SECONDS = 1.0
_LOCK_SECONDS = 0.5
"""Longer than `is_served` holds the lock when it asks."""


def ensure_served(home: Home) -> None:
    """See to it that somebody works on every lane in which jobs wait."""
    for lane in LANES:
        if _waiting(home, lane) and not is_served(home, lane):
            local.detach([*QUEUE, "--home", str(home.path), "--lane", lane], home.path / f"queue-{lane}.log")


def is_served(home: Home, lane: str) -> bool:
    """Whether a process of this machine works on the queue of a lane."""
    try:
        with _lock(home, lane).acquire(timeout=0):
            return False
    except Timeout:
        return True


def is_busy(home: Home, lane: str, besides: str = "") -> bool:
    """Whether a job of any kind computes in this lane of this machine, or is about to.

    Args:
        besides: a job that does not count.
    """
    host = this_process().host
    with reading(home.engine) as session:
        active = list_jobs(session, states=ACTIVE)
    return any(job.host == host and job.lane == lane and job.id != besides for job in active)


def serve(home: Home, lane: str, stop: threading.Event) -> None:
    """Start the waiting jobs of a lane one after another; return when none waits, or somebody else serves."""
    # Asked again after the lock was given back: a job that was queued in that moment would find nobody.
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
        serve(Home(arguments.home, STUDIO), arguments.lane, stop)
    return 0


def _drain(home: Home, lane: str, stop: threading.Event) -> None:
    while waiting := _waiting(home, lane):
        reconcile(home)
        if not is_busy(home, lane):
            find_executor("local").submit(home, waiting[0])
        if stop.wait(LOOK_SECONDS):
            return


def _waiting(home: Home, lane: str) -> list[Job]:
    """Jobs of a lane that wait, the oldest first; of those whose inputs are on this machine."""
    with reading(home.engine) as session:
        queued = list_jobs(session, states=("queued",))
    return [
        job
        for job in reversed(queued)
        if is_waiting(job)
        and (job.lane, job.executor) == (lane, "local")
        and job.kind in KINDS
        and (job_folder(home, job) / KINDS[job.kind].inputs).exists()
    ]


def _lock(home: Home, lane: str) -> FileLock:
    return FileLock(home.path / f"queue-{this_process().host}-{lane}.lock")


if __name__ == "__main__":
    sys.exit(main())

"""Jobs of every kind done in the test's own process: the one switch, beside `executors.local.WORKER` for real ones."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from avion_core.jobs import worker
from avion_core.jobs.executors import EXECUTORS, Standing
from avion_core.jobs.executors.local import LocalExecutor
from avion_core.store.home import Home
from avion_core.store.tables import Job


class Here(LocalExecutor):
    """An executor that does a job while it is submitted: what a page or a command asks for is there when it looks."""

    def submit(self, home: Home, job: Job) -> None:
        with suppress(Exception):  # its row says how it ended, as that of a process does
            worker.work(home, job.id, threading.Event(), attempt=job.attempt)

    def state(self, home: Home, job: Job) -> Standing:
        return Standing(None)

    def stop(self, home: Home, job: Job) -> None:
        raise AssertionError("a job that was done while it was submitted is not stopped")

    def logs(self, home: Home, job: Job, lines: int) -> list[str]:
        return []


def do_jobs_here(patch: pytest.MonkeyPatch) -> None:
    """From now on, jobs are done in this process."""
    patch.setitem(EXECUTORS, "local", Here())

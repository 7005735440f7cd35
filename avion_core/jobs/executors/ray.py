"""Jobs as entrypoints of a Ray cluster: it finds a machine with free CPUs and GPUs and starts the worker there.

Ray's records are not the truth. They vanish with its head node, while what it started may run on for half a minute; so
a record that is gone says nothing, and the heartbeat decides. A process that was given up and comes back finds its
attempt taken. See docs/ray.md for what a cluster must have.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from avion_core.errors import JobError
from avion_core.jobs.devices import CUBLAS, EXACT
from avion_core.jobs.executors.ray_api import UnreachableError, find_cluster
from avion_core.jobs.executors.standing import Place, Standing, attempt_options, how_ended, submission_name
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.jobs import note_submission
from avion_core.store.tables import Job

WORKER: Sequence[str] = ("python", "-m", "avion_core.jobs.worker")
"""The program that does a job, as the cluster's machines find it."""
CPUS, GPUS = "AVION_RAY_CPUS", "AVION_RAY_GPUS"
SAVE_SECONDS = 60
"""How long Ray lets a process save after SIGTERM. Its own 3 s are less than a save to a slow disk takes."""
_ASK_SECONDS = 3.0
"""For how long what Ray said of a job is taken for granted: pages look every second."""
_AWAY_SECONDS = 10.0
"""For how long a cluster that did not answer is left alone, so that pages do not wait for it at every look."""
_MOST_REMEMBERED = 1000


class RayExecutor:
    """Processes of a Ray cluster, which shares the home folder and the database with this machine."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[float, dict[str, Any] | None]] = {}
        self._away: tuple[float, JobError] | None = None

    def plan(self, device: str) -> Place:
        find_cluster()
        return Place("ray", "gpu" if device != "cpu" and _number(GPUS, 0) else "cpu")

    def submit(self, home: Home, job: Job) -> None:
        cluster, name = find_cluster(), submission_name(job)
        cluster.refuse_open()
        request = {
            "entrypoint": shlex.join([*WORKER, *attempt_options(home, job)]),
            "submission_id": name,
            "entrypoint_num_cpus": _number(CPUS, 1),
            "entrypoint_num_gpus": _number(GPUS, 0) if job.lane == "gpu" else 0,
            "runtime_env": {
                "env_vars": {
                    CUBLAS: os.environ.get(CUBLAS, EXACT[CUBLAS]),
                    "RAY_JOB_STOP_WAIT_TIME_S": str(SAVE_SECONDS),
                }
            },
        }
        try:
            refused = cluster.submit(request)
        except UnreachableError as error:
            refused = str(error)
        # It may be there all the same: handed over before, or taken by a cluster that was slow to say so.
        if refused and cluster.record(name) is None:
            raise JobError("Ray did not take the job", "See to the cluster, then resume the job.", value=refused)
        with writing(home.engine) as session:
            note_submission(session, job.id, job.attempt, name)

    def state(self, home: Home, job: Job) -> Standing:
        try:
            record = self._record(submission_name(job))
        except JobError as error:
            return Standing(None, f" ({error.what})", asked=False)
        if record is None:
            return Standing(None, " (Ray has no record of it)")
        if record["status"] in ("PENDING", "RUNNING"):
            return Standing(True)
        message = str(record.get("message") or record["status"]).split(". ")[0].splitlines()[0].removesuffix(".")
        return Standing(False, how_ended(record.get("driver_exit_code")) or f" (Ray: {message})")

    def stop(self, home: Home, job: Job) -> None:
        cluster, name = find_cluster(), submission_name(job)
        if not cluster.stop(name):
            return
        deadline = time.monotonic() + SAVE_SECONDS + _AWAY_SECONDS
        while time.monotonic() < deadline:
            record = cluster.record(name)
            # One that waits for a machine stays PENDING for good: once it starts, it finds its attempt taken.
            if record is None or record["status"] != "RUNNING":
                return
            time.sleep(0.5)
        raise JobError("Ray has not ended the job's process", "Look at it on Ray's dashboard.", value=name)

    def logs(self, home: Home, job: Job, lines: int) -> list[str]:
        with suppress(JobError):
            return find_cluster().logs(submission_name(job))[-lines:]
        return []

    def _record(self, name: str) -> dict[str, Any] | None:
        """What Ray knows of a job, asked for again when that is some seconds old."""
        moment = time.monotonic()
        if self._away is not None and moment < self._away[0]:
            raise self._away[1]
        asked, record = self._records.get(name, (-_ASK_SECONDS, None))
        if moment - asked < _ASK_SECONDS:
            return record
        try:
            record = find_cluster().record(name)
        except JobError as error:
            self._away = time.monotonic() + _AWAY_SECONDS, error
            raise
        if len(self._records) >= _MOST_REMEMBERED:
            self._records.clear()
        self._away, self._records[name] = None, (time.monotonic(), record)
        return record


def _number(name: str, default: float) -> float:
    """How much of something a job asks the cluster for."""
    said = os.environ.get(name, "").strip() or str(default)
    try:
        number = float(said)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise JobError(f"{name} cannot be used", "Set it to a number, such as 1.", value=said)
    return number

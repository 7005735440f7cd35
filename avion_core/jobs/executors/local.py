"""Jobs as processes of this machine, each in a session of its own: they outlive browser, server and terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import psutil

from avion_core.errors import JobError
from avion_core.jobs.devices import EXACT, device_name, lane_of
from avion_core.jobs.executors.standing import Place, Standing, attempt_options, how_ended, submission_name
from avion_core.jobs.kinds import job_folder
from avion_core.jobs.log import LOG
from avion_core.jobs.process import ProcessId, find_living, identify, this_process
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.jobs import note_process
from avion_core.store.tables import Job

WORKER: Sequence[str] = (sys.executable, "-m", "avion_core.jobs.worker")
"""The program that does a job; tests put one with tiny models in its place."""
_KILL_SECONDS = 10.0

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started and has to ask about when they end, else they stay as zombies."""


class LocalExecutor:
    """Processes of this machine."""

    def plan(self, device: str) -> Place:
        name = device_name(device)
        return Place("local", lane_of(name), name)

    def submit(self, home: Home, job: Job) -> None:
        folder = job_folder(home, job)
        folder.mkdir(parents=True, exist_ok=True)
        pid = detach([*WORKER, *attempt_options(home, job)], folder / LOG)
        try:
            process = identify(pid)
        except psutil.NoSuchProcess:
            return  # ended already; its row or its log says how
        with writing(home.engine) as session:
            note_process(session, job.id, job.attempt, submission_name(job), **asdict(process))

    def state(self, home: Home, job: Job) -> Standing:
        process = process_of(job)
        if process is None or process.host != this_process().host:
            return Standing(None)
        alive = find_living(process) is not None
        return Standing(alive, "" if alive else _how(process))

    def stop(self, home: Home, job: Job) -> None:
        process = process_of(job)
        if process is not None and process.host != this_process().host:
            raise JobError("the job is on another machine", "Stop it, or kill it on that machine.", value=process.host)
        if process is not None:
            end_process(process)

    def logs(self, home: Home, job: Job, lines: int) -> list[str]:
        return []  # what the process writes goes to the log in the job's folder


def detach(command: Sequence[str], log: Path) -> int:
    """Start a process in a session of its own, with its words in a file and that file's folder to work in."""
    with log.open("ab") as file:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            cwd=log.parent,
            env=EXACT | os.environ,
        )
    _children[child.pid] = child
    return child.pid


def reap() -> None:
    """Ask about children that have ended, so that the system lets go of them."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


def end_process(process: ProcessId) -> None:
    """Kill that very process, if it is of this machine and still there, and wait until it is gone."""
    living = find_living(process) if process.host == this_process().host else None
    if living is None:
        return
    living.kill()
    child = _children.pop(process.pid, None)
    if child is not None:
        child.wait(_KILL_SECONDS)
    else:
        psutil.wait_procs([living], timeout=_KILL_SECONDS)


def process_of(job: Job) -> ProcessId | None:
    """The process that works on a job or last did; None before the first."""
    if job.host is None or job.pid is None or job.process_started is None:
        return None
    return ProcessId(job.host, job.boot or "", job.pid, job.process_started)


def _how(process: ProcessId) -> str:
    """How a process ended; "" where nobody knows, as of one that this process did not start."""
    child = _children.get(process.pid)
    return how_ended(None if child is None else child.poll())

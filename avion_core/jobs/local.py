"""Runs as processes of this machine: start one, see which are gone, end one that does not listen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

import psutil
from sqlalchemy import Engine

from avion_core.errors import TrainingError
from avion_core.jobs.heartbeat import LOST_AFTER_SECONDS
from avion_core.jobs.process import ProcessId, find_living, identify, this_process
from avion_core.jobs.run_files import LOG
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.runs import end_unheard, find_run, list_runs, note_process, silent_since
from avion_core.store.tables import Run

WORKER: Sequence[str] = (sys.executable, "-m", "avion_core.jobs.worker")
_KILL_SECONDS = 10.0

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started and has to ask about when they end, else they stay as zombies."""


def start(home: Home, run_id: str) -> None:
    """Start a queued run in a session of its own, so that it outlives the browser, this server and its terminal."""
    folder = home.run_folder(run_id)
    with (folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            [*WORKER, "--home", str(home.path), "--run", run_id],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=folder,
        )
    _children[child.pid] = child
    try:
        process = identify(child.pid)
    except psutil.NoSuchProcess:
        return  # ended already; its row or its log says how
    with writing(home.engine) as session:
        note_process(session, run_id, **asdict(process))


def refresh(engine: Engine) -> None:
    """Mark the runs as lost whose process is gone or silent, and take leave of children that have ended."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)
    with reading(engine) as session:
        lost = [(run, why) for run in list_runs(session) if (why := _why_lost(run))]
    for run, why in lost:
        with writing(engine) as session:
            end_unheard(session, run, "lost", cause="lost", error=why)


def kill(home: Home, run_id: str) -> bool:
    """End a run's process at once, without saving; False when it has none.

    Raises:
        TrainingError: the process runs on another machine.
    """
    with reading(home.engine) as session:
        run = find_run(session, run_id)
    process = _process_of(run)
    if run.state not in ("queued", "running") or process is None:
        return False
    if process.host != this_process().host:
        raise TrainingError("the run is on another machine", "Stop it, or kill it from there.", value=process.host)
    end_process(process)
    with writing(home.engine) as session:
        why = "Killed by a person. It goes on from the last checkpoint when it is resumed."
        return end_unheard(session, find_run(session, run_id), "stopped", cause="killed", error=why)


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


def _process_of(run: Run) -> ProcessId | None:
    if run.host is None or run.pid is None or run.process_started is None:
        return None
    return ProcessId(run.host, run.pid, run.process_started)


def _why_lost(run: Run) -> str | None:
    """Why a run that should be waited for or worked on is not, or None."""
    if run.state not in ("queued", "running"):
        return None
    process = _process_of(run)
    here = process is not None and process.host == this_process().host
    living = process is not None and here and find_living(process) is not None
    if here and not living:
        return (
            "Its process ended without a word (killed, or the machine went down). Resume it from the last checkpoint."
        )
    silence = silent_since(run).total_seconds()
    # A queued run whose process lives is still starting: on a busy machine that takes as long as it takes.
    if silence > LOST_AFTER_SECONDS and not (living and run.state == "queued"):
        return f"Nothing was heard from its process for {silence:.0f} s. Resume it from the last checkpoint."
    return None

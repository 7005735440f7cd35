"""Runs as processes of this machine: start one, see which are gone, end one that does not listen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import psutil

from avion_core.errors import TrainingError
from avion_core.jobs.devices import EXACT
from avion_core.jobs.heartbeat import LOST_AFTER_SECONDS
from avion_core.jobs.process import ProcessId, find_living, identify, this_process
from avion_core.jobs.run_files import LOG, last_word
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.leases import end_unheard, note_process, silent_since
from avion_core.store.runs import find_run, list_runs
from avion_core.store.tables import Generation, Run

WORKER: Sequence[str] = (sys.executable, "-m", "avion_core.jobs.worker")
_KILL_SECONDS = 10.0

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started and has to ask about when they end, else they stay as zombies."""


def start(home: Home, run_id: str) -> None:
    """Start a queued run in a session of its own, so that it outlives the browser, this server and its terminal."""
    start_worker(home, Run, run_id, [*WORKER, "--home", str(home.path), "--run", run_id], home.run_folder(run_id))


def start_worker(home: Home, table: type[Run | Generation], row_id: str, command: Sequence[str], folder: Path) -> None:
    """Start the process that takes a queued row, with its log in `folder`, and note in the row which one it is."""
    pid = detach(command, folder / LOG)
    try:
        process = identify(pid)
    except psutil.NoSuchProcess:
        return  # ended already; its row or its log says how
    with writing(home.engine) as session:
        note_process(session, table, row_id, **asdict(process))


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


def refresh(home: Home) -> None:
    """End the runs whose process is gone or silent, and take leave of children that have ended."""
    with reading(home.engine) as session:
        gone = [(run, how) for run in list_runs(session) if (how := _ending(home, run))]
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)
    for run, (state, cause, error) in gone:
        with writing(home.engine) as session:
            end_unheard(session, run, state, cause=cause, error=error)


def kill(home: Home, run_id: str) -> bool:
    """End a run's process at once, without saving; False when it has none.

    Raises:
        TrainingError: the process runs on another machine.
    """
    with reading(home.engine) as session:
        run = find_run(session, run_id)
    process = process_of(run)
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


def process_of(run: Run | Generation) -> ProcessId | None:
    """The process that works on a run or generation or last did; None before the first."""
    if run.host is None or run.pid is None or run.process_started is None:
        return None
    return ProcessId(run.host, run.pid, run.process_started)


def is_alive(run: Run | Generation) -> bool | None:
    """Whether that very process does work on this machine; None where that cannot be told from here."""
    process = process_of(run)
    if process is None or process.host != this_process().host:
        return None
    return find_living(process) is not None


def _ending(home: Home, run: Run) -> tuple[str, str, str] | None:
    """State, cause and sentence for a run whose process cannot say so itself any more; None while all is well."""
    process = process_of(run)
    if run.state not in ("queued", "running") or process is None:
        return None  # a queued run without a process waits for its turn, however long
    alive = is_alive(run)
    if alive is False and run.state == "queued":
        word = last_word(home.run_folder(run.id))
        said = f"Its last words: {word.removesuffix('.')}." if word else "It left no word in its log."
        what = f"Its process ended before the training could begin{_how(process)}."
        return "failed", "start", f"{what} {said} Mend that and resume it."
    if alive is False:
        why = f"Its process ended without a word{_how(process) or ' (killed, or the machine went down)'}."
        return "lost", "lost", f"{why} Resume it from the last checkpoint."
    silence = silent_since(run).total_seconds()
    # A queued run whose process lives is still starting: on a busy machine that takes as long as it takes.
    if silence > LOST_AFTER_SECONDS and not (alive and run.state == "queued"):
        why = f"Nothing was heard from its process for {silence:.0f} s. Resume it from the last checkpoint."
        return "lost", "lost", why
    return None


def _how(process: ProcessId) -> str:
    """How a process ended, in brackets; "" where nobody knows, as of one that this process did not start."""
    child = _children.get(process.pid)
    code = None if child is None else child.poll()
    if code is None:
        return ""
    if code >= 0:
        return f" (exit code {code})"
    name = signal.Signals(-code).name
    return f" ({name}, which the system sends when memory runs out)" if name == "SIGKILL" else f" ({name})"

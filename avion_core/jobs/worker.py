"""The process that does a job, of whatever kind: takes it, runs it with a heartbeat, and ends it.

    python -m avion_core.jobs.worker --home FOLDER --job ID [--attempt NUMBER]

SIGTERM, or a stop asked for in the job's row, lets it save what it has; the job is then `stopped`.
"""

from __future__ import annotations

import argparse
import sys
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from avion_core.actor import STUDIO
from avion_core.errors import JobError
from avion_core.jobs.causes import explain
from avion_core.jobs.heartbeat import Heartbeat
from avion_core.jobs.job import Context, Listener, Stopped
from avion_core.jobs.kinds import find_kind, job_folder
from avion_core.jobs.log import JobLog
from avion_core.jobs.process import this_process
from avion_core.jobs.stopping import stop_on_signals
from avion_core.store import jobs
from avion_core.store.database import reading, writing
from avion_core.store.home import Home


def work(
    home: Home, job_id: str, stop: threading.Event, listener: Listener | None = None, *, attempt: int | None = None
) -> str:
    """Do a queued job in this process, to its end or to the next stop.

    Args:
        stop: ask for a stop by setting it; it is also set when the job's row asks.
        listener: told everything that the kind tells.
        attempt: the one that this process was started for; None takes whichever is queued.

    Returns:
        "finished" or "stopped".

    Raises:
        JobError: another process has the job, it is not queued, or its kind is unknown here.
        AvionError: the work failed; the row says so as well.
    """
    with reading(home.engine) as session:
        job = jobs.find_job(session, job_id)
    kind = find_kind(job.kind)
    folder = job_folder(home, job)
    process = this_process()
    with writing(home.engine) as session:
        held = jobs.take(session, job.id, attempt, **asdict(process))
    if held is None:
        hint = "Wait for the process that has it; once that has ended, resume it."
        raise JobError("the job is not waiting for a process", hint, value=job.id)
    folder.mkdir(parents=True, exist_ok=True)
    state, result, last, failure = "failed", None, dict[str, Any](), None
    with JobLog(folder) as log:
        log.write(f"process {process.pid} on {process.host} takes the job, attempt {held}")
        try:
            with Heartbeat(home.engine, job.id, held, stop, kind.row) as heartbeat:
                context = Context(home, job, folder, heartbeat, log, stop, listener)
                try:
                    result = kind.run(kind.request.model_validate(job.request), context)
                    state = "finished"
                except Stopped:
                    state = "stopped"
        except BaseException as error:
            failure = error
            last["cause"], last["error"] = explain(error)
            log.write(last["error"] if kind.private else "".join(traceback.format_exception(error)))
        log.write(state)
        with writing(home.engine) as session:
            if jobs.end(session, job.id, held, state, result=result, **last) and kind.ended is not None:
                kind.ended(session, jobs.find_job(session, job.id), result)
    if failure is not None:
        raise failure
    return state


def main() -> int:
    """Entry of the detached process; its output goes to the job's log."""
    parser = argparse.ArgumentParser(prog="python -m avion_core.jobs.worker")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--job", required=True)
    parser.add_argument("--attempt", type=int)
    arguments = parser.parse_args()
    with stop_on_signals() as stop:
        try:
            work(Home(arguments.home, STUDIO), arguments.job, stop, attempt=arguments.attempt)
        except Exception as error:
            # The row and the log have it; this line is for what came before either could be written.
            print(explain(error)[1], file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

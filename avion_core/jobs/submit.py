"""From a request to a process: a new row, and the executor that starts it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy.orm import Session

from avion_core.errors import JobError
from avion_core.jobs import queue
from avion_core.jobs.devices import LANES
from avion_core.jobs.executors import find_executor, plan
from avion_core.jobs.job import JobKind
from avion_core.jobs.kinds import find_kind, job_folder
from avion_core.jobs.process import this_process
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.jobs import ACTIVE, end_unheard, find_job, list_jobs
from avion_core.store.tables import Job, new_id

Turn = Literal["now", "free", "queue"]


def submit_new(
    home: Home,
    kind: str,
    request: BaseModel,
    *,
    who: str,
    project_id: str | None = None,
    device: str | None = "cpu",
    job_id: str = "",
    here: bool = False,
    turn: Turn = "now",
) -> str:
    """Have something done in a process of its own; returns the job's id.

    Where the same is under way already, that job is returned: equal requests at the same time are one job.

    Args:
        here: this very process is about to do it (`jobs.worker.work`), so it is not started.
        turn: "queue": after the jobs before it in its lane; "free": so too, while another computes there.
        job_id: under which id, where its folder has been filled already; else a new one.
        device: what it asks for ("auto", "cpu" or "cuda"); None for work that only waits for a network.

    Raises:
        JobError: no such kind, another works on the same, or it cannot be started.
    """
    found = find_kind(kind)
    place = plan(device, here=here)
    process = {**asdict(this_process()), "submission": "here"} if here else {}
    asked: dict[str, Any] = request.model_dump(mode="json")
    with writing(home.engine) as session:
        for job in list_jobs(session, kinds=(kind,), states=ACTIVE, project_id=project_id):
            if job.request == asked:
                return job.id
        refuse_second(session, found, asked)
        job = Job(
            id=job_id or new_id(), kind=kind, project_id=project_id, request=asked, who=who, **asdict(place), **process
        )
        session.add(job)
    if here:
        return job.id
    job_folder(home, job).mkdir(parents=True, exist_ok=True)  # by it the queue knows a job of this machine
    if (
        place.executor != "local"
        or place.lane not in LANES
        or turn == "now"
        or (turn == "free" and not queue.is_busy(home, place.lane, besides=job.id))
    ):
        submit(home, job.id)
    else:
        queue.ensure_served(home)
    return job.id


def refuse_second(session: Session, kind: JobKind[Any], request: dict[str, Any], besides: str = "") -> None:
    """Where a kind does one thing at a time (`JobKind.alone`), let no second job work on it.

    Args:
        besides: a job that does not count.

    Raises:
        JobError: another job works on the same.
    """
    if not kind.alone:
        return
    wanted = request[kind.alone]
    for job in list_jobs(session, kinds=(kind.name,), states=ACTIVE):
        if job.request.get(kind.alone) == wanted and job.id != besides:
            hint = f"Wait for job {job.id}, or stop it first."
            raise JobError(f"another job already works on this {kind.alone}", hint, value=wanted)


def submit(home: Home, job_id: str) -> None:
    """Start the process of a queued job.

    Raises:
        JobError: its executor cannot; the job has failed then, and can be resumed.
    """
    with reading(home.engine) as session:
        job = find_job(session, job_id)
    try:
        find_executor(job.executor).submit(home, job)
    except JobError as error:
        with writing(home.engine) as session:
            end_unheard(session, job, "failed", cause="start", error=str(error))
        raise

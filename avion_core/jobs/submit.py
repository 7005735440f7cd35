"""From a request to a process: a new row, and the executor that starts it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from avion_core.errors import JobError
from avion_core.jobs.executors import find_executor, plan
from avion_core.jobs.kinds import find_kind
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.jobs import ACTIVE, end_unheard, find_job, list_jobs
from avion_core.store.tables import Job


def submit_new(
    home: Home,
    kind: str,
    request: BaseModel,
    *,
    who: str,
    project_id: str | None = None,
    device: str | None = "cpu",
) -> str:
    """Have something done in a process of its own; returns the job's id.

    Where the same is under way already, that job is returned: equal requests at the same time are one job.

    Args:
        device: what it asks for ("auto", "cpu" or "cuda"); None for work that only waits for a network.

    Raises:
        JobError: no such kind, or it cannot be started.
    """
    find_kind(kind)
    place = plan(device)
    asked: dict[str, Any] = request.model_dump(mode="json")
    with writing(home.engine) as session:
        for job in list_jobs(session, kinds=(kind,), states=ACTIVE, project_id=project_id):
            if job.request == asked:
                return job.id
        job = Job(kind=kind, project_id=project_id, request=asked, who=who, **asdict(place))
        session.add(job)
    submit(home, job.id)
    return job.id


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

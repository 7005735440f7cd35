"""From a request to a process: a new row, and the executor that starts it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from avion_core.jobs.executors import find_executor
from avion_core.jobs.kinds import find_kind
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.jobs import ACTIVE, find_job, list_jobs
from avion_core.store.tables import Job


def submit_new(
    home: Home,
    kind: str,
    request: BaseModel,
    *,
    who: str,
    project_id: str | None = None,
    lane: str = "cpu",
    device: str | None = None,
    executor: str = "local",
) -> str:
    """Have something done in a process of its own; returns the job's id.

    Where the same is under way already, that job is returned: equal requests at the same time are one job.

    Raises:
        JobError: no such kind or executor, or it cannot be started.
    """
    find_kind(kind)
    find_executor(executor)
    asked: dict[str, Any] = request.model_dump(mode="json")
    with writing(home.engine) as session:
        for job in list_jobs(session, kinds=(kind,), states=ACTIVE, project_id=project_id):
            if job.request == asked:
                return job.id
        job = Job(kind=kind, project_id=project_id, request=asked, who=who, lane=lane, device=device, executor=executor)
        session.add(job)
    submit(home, job.id)
    return job.id


def submit(home: Home, job_id: str) -> None:
    """Start the process of a queued job.

    Raises:
        JobError: its executor cannot.
    """
    with reading(home.engine) as session:
        job = find_job(session, job_id)
    find_executor(job.executor).submit(home, job)

"""Taking a run away, with everything that was made of it."""

from __future__ import annotations

import shutil

from avion_core.errors import TrainingError
from avion_core.store import jobs as job_rows
from avion_core.store import journal, runs
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.tables import Job
from avion_core.usecases import jobs
from avion_core.usecases.policies import use_case
from avion_core.usecases.runs.views import get_run


@use_case
def delete_run(home: Home, run: str) -> None:
    """Delete an ended run with its folder: student, curves, maps and figures. The journal remembers that it was.

    Jobs that only made or make something of it (a map, its figures) go with it.

    Raises:
        NotFoundError: no such run.
        TrainingError: it is queued or running.
        JobError: one of those jobs has a process that cannot be ended from here.
    """
    view = get_run(home, run)
    with writing(home.engine) as session:
        row = runs.find_run(session, view.id)
        project = find_project(session, row.project_id)
        looked = f", which had looked at the test set {view.looks} times" if view.looks else ""
        said = f"Deleted: {row.name} ({row.id}){looked}."
        journal.note(session, row.project_id, "training", said, home.actor.name)
        if not runs.delete_run(session, view.id):
            raise TrainingError("a queued or running run cannot be deleted", "Stop it first.", value=view.state)
        if project.baseline_run == view.id:
            project.baseline_run = None
        others = job_rows.list_jobs(session, kinds=("mapping", "evaluation"), project_id=project.id)
        of_run = [job.id for job in others if _is_about(job, view.id)]
    for job in of_run:
        jobs.forget(home, job)
    shutil.rmtree(view.folder, ignore_errors=True)


def _is_about(job: Job, run: str) -> bool:
    """Whether a job is about this run and no other."""
    return job.request.get("run") == run or list(job.request.get("runs", ())) == [run]

"""Commands for jobs of every kind: trainings, generations, maps and whatever else takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from avion_core.cli.frame import Answer, Desk, command, table
from avion_core.cli.tour import Limit, Page, jobs, page_line
from avion_core.progress import BYTES

if TYPE_CHECKING:
    from avion_core.usecases.jobs import JobView

JobName = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, the beginning of one, or latest.")]
InProject = Annotated[str | None, typer.Option("--project", help="A project's name or id.")]


@command(jobs, "list")
def list_jobs_(
    desk: Desk,
    project: InProject = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; may be given several times.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="Only this status, such as running or failed; may be given several times.")
    ] = None,
    limit: Limit = 50,
    page: Page = 1,
) -> Answer:
    """Jobs and their status, the newest first."""
    from avion_core.usecases.job_control import list_jobs

    found = list_jobs(
        desk.home, kinds=tuple(kind or ()), statuses=tuple(status or ()), project=project, limit=limit, page=page
    )
    rows = [_row(job) for job in found.rows]
    shown = [{**row, "counted": _counted(job)} for row, job in zip(rows, found.rows, strict=True)]
    columns = ["id", "kind", "status", "counted", "who", "executor", "created_at"]
    counts = {"found": found.found, "page": found.page, "pages": found.pages, "statuses": found.statuses}
    text = table(shown, columns) + page_line(found) if rows else "No job yet." if not found.statuses else "No such job."
    return Answer({"jobs": rows, **counts}, text)


@command(jobs, "show")
def show(desk: Desk, job: JobName) -> Answer:
    """One job: its status, what it was asked for, what came of it, and where its files are."""
    from avion_core.usecases.jobs import get_job

    found = get_job(desk.home, job)
    lines = [f"{found.id} ({found.kind}) is {found.status}{f': {_counted(found)}' if found.total else ''}."]
    if found.error:
        lines.append(found.error)
    lines.append(
        f"asked for by {found.who}, attempt {found.attempt}, done by {found.executor}, files in {found.folder}"
    )
    rows = [
        {"": what, "field": name, "value": str(value)}
        for what, values in (("asked", found.request), ("result", found.result))
        for name, value in values.items()
    ]
    text = "\n".join([*lines, *(["", table(rows, ["", "field", "value"])] if rows else [])])
    return Answer({**vars(found), "status": found.status}, text)


@command(jobs, "start")
def start(
    desk: Desk,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What is to be done.")],
    project: InProject = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A field of what is asked for.")
    ] = None,
) -> Answer:
    """Start a job of a kind that has no command of its own."""
    from avion_core.settings import join, read_pair
    from avion_core.usecases.job_control import start_job

    job = start_job(desk.home, kind, join(map(read_pair, settings or [])), project)
    return Answer({"job_id": job}, f"Job {job} is started.\nNext:  avion jobs show {job}")


@command(jobs, "stop")
def stop(desk: Desk, job: JobName) -> Answer:
    """Ask a job to save what it has and stop; one that waits leaves the queue."""
    from avion_core.usecases.job_control import stop_job

    found = stop_job(desk.home, job)
    return Answer({"job_id": found}, f"{found} saves and stops. Resume it with: avion jobs resume {found}")


@command(jobs, "kill")
def kill(desk: Desk, job: JobName) -> Answer:
    """End a job's process at once; what it has not saved is lost."""
    from avion_core.usecases.job_control import kill_job

    found = kill_job(desk.home, job)
    return Answer({"job_id": found}, f"{found} is killed. Resume it with: avion jobs resume {found}")


@command(jobs, "resume")
def resume(desk: Desk, job: JobName) -> Answer:
    """Resume a stopped, failed or lost job in the background."""
    from avion_core.usecases.job_control import resume_job
    from avion_core.usecases.jobs import get_job

    found = get_job(desk.home, resume_job(desk.home, job))
    return Answer(
        {"job_id": found.id, "waiting": found.waiting}, f"{found.id} is {'queued' if found.waiting else 'resumed'}."
    )


@command(jobs, "log")
def log(
    desk: Desk, job: JobName, lines: Annotated[int, typer.Option(help="How many lines, counted from the end.")] = 50
) -> Answer:
    """The end of a job's log."""
    from avion_core.usecases.jobs import get_job, log_tail

    found = get_job(desk.home, job)
    said = log_tail(desk.home, found.id, max(1, lines))
    return Answer({"job_id": found.id, "lines": said}, "\n".join(said) or "Nothing yet.")


def _row(job: JobView) -> dict[str, Any]:
    return {
        "id": job.id, "kind": job.kind, "project_id": job.project_id, "status": job.status, "stage": job.stage,
        "what": job.what, "done": job.done, "total": job.total, "eta_seconds": job.eta_seconds, "who": job.who,
        "executor": job.executor, "cause": job.cause, "error": job.error, "created_at": job.created_at,
    }  # fmt: skip


def _counted(job: JobView) -> str:
    what = "" if job.what == BYTES or not job.total else job.what
    return f"{job.counts} {what}".strip()

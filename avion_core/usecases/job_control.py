"""Jobs of every kind in one place: listed, started, stopped, killed and resumed, each by the rules of its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from avion_core import settings
from avion_core.actor import Actor
from avion_core.errors import JobError
from avion_core.jobs.kinds import KINDS, find_kind
from avion_core.jobs.reconcile import reconcile
from avion_core.jobs.submit import submit, submit_new
from avion_core.store import jobs as job_rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.listing import Listed, count_kinds, count_statuses, jobs_page, places_in_line
from avion_core.store.projects import find_project
from avion_core.usecases import jobs
from avion_core.usecases.jobs import JobPage, JobView, check_page, get_job, job_view
from avion_core.usecases.policies import ADMINISTER, CHANGE_PROJECTS, TRAIN, demand, may, use_case
from avion_core.usecases.runs import training
from avion_core.usecases.writing import ordering


@use_case
def list_jobs(
    home: Home,
    *,
    kinds: tuple[str, ...] = (),
    statuses: tuple[str, ...] = (),
    project: str | None = None,
    limit: int = 50,
    page: int = 1,
) -> JobPage[JobView]:
    """A page of jobs.

    Args:
        kinds, statuses: only these; empty means all. See `JobView.status`.
        limit: the most on a page, from 1 to 1,000. page: counted from 1; past the end there are none.

    Raises:
        NotFoundError: no such project. ConfigError: a page that cannot be.
    """
    check_page(limit, page)
    reconcile(home)
    with reading(home.engine) as session:
        project_id = None if project is None else find_project(session, project).id
        listed, every = Listed(kinds, statuses, project_id), Listed(project_id=project_id)
        found = sum(count_statuses(session, listed).values())
        views = [job_view(home, row) for row in jobs_page(session, listed, limit, page)]
        counts = count_statuses(session, every), count_kinds(session, every), places_in_line(session)
    return JobPage(views, found, page, max(1, -(-found // limit)), *counts)


def startable_kinds() -> dict[str, type[BaseModel]]:
    """The kinds that `start_job` starts, with the form of their requests; the others have a page or command."""
    return {name: kind.request for name, kind in KINDS.items() if not kind.started_by}


@use_case
def start_job(home: Home, kind: str, request: Mapping[str, Any], project: str | None = None) -> str:
    """Start a job of a kind whose request says all, or find the same one under way; returns its id.

    Args:
        request: field of the kind's request -> its value, also as text.

    Raises:
        NotFoundError: no such project. ConfigError: a field that does not exist or cannot be used. JobError: no such
            kind, it has a command of its own, or it cannot be started.
    """
    found = find_kind(kind)
    if found.started_by:
        raise JobError("this kind of job has a command of its own", f"Use {found.started_by}.", value=kind)
    asked = settings.validated(found.request, dict(request))
    with reading(home.engine) as session:
        project_id = None if project is None else find_project(session, project).id
    return submit_new(home, kind, asked, who=home.actor.name, project_id=project_id, device="auto")


@use_case
def stop_job(home: Home, job: str) -> str:
    """Ask a job to save what it has and stop; one that waits leaves the queue. Returns its id.

    Raises:
        NotFoundError: no such job. RightsError: it is somebody else's. JobError, TrainingError: it has ended already.
    """
    view = get_job(home, job)
    _CONTROLS.get(view.kind, _ANY).stop(home, view)
    return view.id


@use_case
def resume_job(home: Home, job: str) -> str:
    """Take up a stopped, failed or lost job again, with what it had saved. Returns its id.

    Raises:
        NotFoundError: no such job. RightsError: it is somebody else's. JobError, TrainingError, ConfigError: it is
            under way or finished, or cannot be started.
    """
    view = get_job(home, job)
    _CONTROLS.get(view.kind, _ANY).resume(home, view)
    return view.id


@use_case
def kill_job(home: Home, job: str) -> str:
    """End a job's process at once, without saving. Returns its id.

    Raises:
        NotFoundError: no such job. RightsError: it is somebody else's. JobError, TrainingError: it has no process, or
            one that cannot be ended from here.
    """
    view = get_job(home, job)
    if view.kind == "training":
        training.kill(home, view.id)
        return view.id
    _refuse_others(home, view)
    if not jobs.kill(home, view.id):
        raise JobError(
            "the job has no process that could be killed", "Resume it, or start a new one.", value=view.state
        )
    return view.id


@use_case
def start_job_now(home: Home, job: str) -> str:
    """Start a job that waits for its turn at once, beside whatever computes on its device. Returns its id.

    Raises:
        NotFoundError: no such job. RightsError: it is somebody else's. JobError: it does not wait, or cannot start.
    """
    view = get_job(home, job)
    _refuse_others(home, view)
    if not view.waiting:
        raise JobError("the job is not queued", "Resume it, or start a new one.", value=view.state)
    submit(home, view.id)
    return view.id


@dataclass(frozen=True)
class _Control:
    """How jobs of a kind are stopped and resumed."""

    stop: Callable[[Home, JobView], object]
    resume: Callable[[Home, JobView], object]


def _stop(home: Home, view: JobView) -> None:
    _refuse_others(home, view)
    with writing(home.engine) as session:
        asked = job_rows.ask_to_stop(session, view.id)
    _say_ended(view, asked)


def _stop_writing(home: Home, view: JobView) -> None:
    _say_ended(view, ordering.ask_to_stop(home, view.id))


def _say_ended(view: JobView, asked: bool) -> None:
    if not asked:
        raise JobError("the job has already ended", "Resume it, or start a new one.", value=view.state)


def _resume(home: Home, view: JobView) -> None:
    _refuse_others(home, view)
    if not jobs.queue_again(home, view.id):
        hint = "Start a new one." if get_job(home, view.id).state == "finished" else "Wait for it, or stop it first."
        raise JobError("the job cannot be resumed", hint, value=view.state)
    jobs.start_or_wait(home, view.id)


def may_control(actor: Actor, view: JobView) -> bool:
    """Whether somebody may start, stop, kill and resume a job: who asked for it, and those who may stop trainings.

    Trainings, generations and installations change what all see: they are for those alone who may begin such.
    """
    if right := _RIGHTS.get(view.kind):
        return may(actor, right)
    return view.who == actor.name or may(actor, TRAIN)


def who_controls(view: JobView) -> str:
    """Who those are, in a sentence: for whoever is not one of them."""
    if right := _RIGHTS.get(view.kind):
        return f"Only {right.whom} may {right.what}."
    return f"{view.who} asked for this. Others cannot start, stop or resume it, except {TRAIN.whom}."


_RIGHTS = {"training": TRAIN, "writing": CHANGE_PROJECTS, "installing": ADMINISTER}
"""Kinds where the right to begin one decides, not who asked for this one."""


def _refuse_others(home: Home, view: JobView) -> None:
    if not may_control(home.actor, view):
        demand(home.actor, _RIGHTS.get(view.kind, TRAIN))


_ANY = _Control(_stop, _resume)
_CONTROLS: dict[str, _Control] = {
    "training": _Control(
        lambda home, view: training.stop(home, view.id), lambda home, view: training.resume(home, view.id)
    ),
    "writing": _Control(
        _stop_writing,
        lambda home, view: ordering.start(home, ordering.resume(home, str(view.project_id), view.id)),
    ),
}
"""Kinds with rules of their own: notes in the journal, orders that are written again."""

"""Evaluations as jobs: started, found again from another page or browser, and looks at the sealed test set counted."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from avion_core.errors import DataError
from avion_core.jobs.kinds.evaluation import EvaluationRequest
from avion_core.jobs.reconcile import reconcile
from avion_core.jobs.submit import submit_new
from avion_core.store import jobs as job_rows
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Look
from avion_core.usecases.insight.evaluation import Report, check_split, kept_report, note_look
from avion_core.usecases.jobs import JobView, job_view
from avion_core.usecases.policies import UNSEAL, demand, use_case
from avion_core.usecases.runs.trained import trained_run
from avion_core.usecases.runs.views import RunView, get_run

_NEWEST = 200
"""How far back a project's evaluations are looked through for one of a certain run."""


@use_case
def start_evaluation(home: Home, runs: Sequence[str], split: str = "validation", *, wait: bool = False) -> str | None:
    """Have trained runs measured by one job, those whose present student has no report of the split.

    Where the same is under way, that job is found. On the sealed test set it is a look at each of them. While something
    computes on its device, the job waits for its turn.

    Args:
        wait: also let the jobs before it in the queue go first.

    Returns:
        The job's id; None where all are measured.

    Raises:
        NotFoundError: no such run. RightsError: the actor may not open the sealed set. TrainingError: one has not been
            trained yet. DataError: no such split. JobError: the job cannot be started.
    """
    check_split(split)
    if split == "test":
        demand(home.actor, UNSEAL)
    views = [trained_run(home, run) for run in runs]
    if split == "test":
        for view in views:
            _look_once(home, view)
    steps = {view.id: view.step for view in views if kept_report(home, view.id, split) is None}
    if not steps:
        return None
    request = EvaluationRequest.model_validate({"runs": steps, "split": split})
    project, device = views[0].project_id, views[0].config.device
    return submit_new(
        home,
        "evaluation",
        request,
        who=home.actor.name,
        project_id=project,
        device=device,
        turn="queue" if wait else "free",
    )


@use_case
def evaluation_job(home: Home, runs: Sequence[str], split: str = "validation") -> JobView | None:
    """The newest job that measures one of these runs as it is now; None where there was none.

    Raises:
        NotFoundError: no such run.
    """
    reconcile(home)
    steps = {view.id: view.step for run in runs for view in [get_run(home, run)]}
    with reading(home.engine) as session:
        for job in job_rows.list_jobs(session, kinds=("evaluation",), most=_NEWEST):
            if job.request["split"] == split and steps.items() & job.request["runs"].items():
                return job_view(home, job)
    return None


@use_case
def look_at_test_figures(home: Home, run: str) -> None:
    """Write down that the actor looks at figures of the sealed test set: once for each person and student.

    Raises:
        NotFoundError: no such run. TrainingError: it has not been trained yet.
    """
    _look_once(home, trained_run(home, run))


@use_case
def opened_report(home: Home, run: str) -> Report:
    """What was measured of a run on the sealed test set; that the actor looks at it is written down.

    Raises:
        NotFoundError: no such run. TrainingError: it has not been trained yet.
        DataError: it was never measured there.
    """
    report = kept_report(home, run, "test")
    if report is None:
        hint = "Evaluate it on the test set first, or leave the test set out."
        raise DataError("the run was never measured on the sealed test set", hint, value=get_run(home, run).name)
    look_at_test_figures(home, run)
    return report


def _look_once(home: Home, view: RunView) -> None:
    who = home.actor.name
    with writing(home.engine) as session:
        mine = select(Look.created_at).where(Look.run_id == view.id, Look.who == who).order_by(Look.id.desc())
        newest = session.scalars(mine.limit(1)).first()
        if newest is not None and newest >= (view.ended_at or view.created_at):
            return
        note_look(session, view, who)

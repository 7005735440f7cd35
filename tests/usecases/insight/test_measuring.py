"""Evaluations as jobs: one for equal wishes, found from anywhere, stopped and resumed, looks counted once."""

from __future__ import annotations

import threading

import pytest

from avion_core.actor import Actor
from avion_core.errors import AvionError, JobError, RightsError
from avion_core.jobs import queue, worker
from avion_core.jobs.executors import local
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.jobs import list_jobs
from avion_core.store.runs import find_run
from avion_core.store.tables import now
from avion_core.usecases.insight.evaluation import evaluate_run, kept_report, looks
from avion_core.usecases.insight.measuring import evaluation_job, look_at_test_figures, start_evaluation
from avion_core.usecases.job_control import resume_job, start_job_now, stop_job
from avion_core.usecases.jobs import get_job
from avion_core.usecases.runs.deleting import delete_run
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import get_run
from tests.acting import by
from tests.jobs_here import do_jobs_here

pytestmark = pytest.mark.usefixtures("tiny_towers")


def trained(home: Home, project: str, seed: int = 1) -> str:
    run = create_run(home, project, overrides={"data.seed": seed})
    run_here(home, run, threading.Event())
    return run


def test_what_lacks_a_report_is_measured_by_one_job(home, described, monkeypatch):
    runs = [trained(home, described.id, seed) for seed in (1, 2)]
    assert evaluation_job(home, runs) is None
    alone = evaluate_run(home, runs[0])
    do_jobs_here(monkeypatch)
    job = start_evaluation(home, runs)
    found = evaluation_job(home, runs)
    assert found is not None
    assert (found.id, found.state, found.result) == (job, "finished", {"measured": 1})
    assert list(found.request["runs"]) == [runs[1]]
    kept = kept_report(home, runs[0], "validation")
    assert kept is not None
    assert kept.figures.equals(alone.figures)
    assert kept_report(home, runs[1], "validation") is not None
    assert start_evaluation(home, runs) is None
    assert evaluation_job(home, runs, "test") is None
    delete_run(home, runs[1])  # and the job about it alone
    with writing(home.engine) as session:
        assert list_jobs(session, kinds=("evaluation",)) == []


def test_an_evaluation_waits_for_its_turn_and_is_started_at_once_if_somebody_wants(home, described, monkeypatch):
    run = trained(home, described.id)
    started, served, busy = [], [], [True]
    monkeypatch.setattr(local.LocalExecutor, "submit", lambda _, _home, job: started.append(job.id))
    monkeypatch.setattr(queue, "ensure_served", lambda home: served.append(home))
    monkeypatch.setattr(queue, "is_busy", lambda *_, **__: busy[0])
    job = str(start_evaluation(home, [run]))
    assert (get_job(home, job).status, started, len(served)) == ("waiting", [], 1)
    assert [waiting.id for waiting in queue._waiting(home, "cpu")] == [job]  # where a worker looks
    assert start_job_now(home, job) == job
    assert started == [job]
    stop_job(home, job)
    with pytest.raises(JobError, match="The job is not queued: stopped"):
        start_job_now(home, job)
    busy[0] = False
    assert start_evaluation(home, [run]) == started[-1]  # nothing computes: at once
    stop_job(home, started[-1])
    assert start_evaluation(home, [run], wait=True) not in started


def test_a_stopped_evaluation_goes_on_with_what_lacks_a_report(home, described, monkeypatch):
    runs = [trained(home, described.id, seed) for seed in (1, 2)]
    monkeypatch.setattr(local.LocalExecutor, "submit", lambda *_: None)
    job = start_evaluation(home, runs)
    assert start_evaluation(home, runs) == job  # under way

    class StopsAtTheSecond:
        def __init__(self) -> None:
            self.stop = threading.Event()

        def event(self, event: object) -> None: ...

        def progress(self, done: int, total: int, what: str) -> None:
            if kept_report(home, runs[0], "validation") is not None:
                self.stop.set()

    listener = StopsAtTheSecond()
    assert worker.work(home, str(job), listener.stop, listener) == "stopped"
    assert [kept_report(home, run, "validation") is None for run in runs] == [False, True]
    do_jobs_here(monkeypatch)
    resume_job(home, str(job))
    assert kept_report(home, runs[1], "validation") is not None
    found = evaluation_job(home, runs)
    assert found is not None
    assert (found.state, found.attempt, found.result) == ("finished", 2, {"measured": 1})


def test_a_person_looks_once_at_a_student(home, described, monkeypatch):
    run = trained(home, described.id)
    do_jobs_here(monkeypatch)
    start_evaluation(by("ana", home), [run], "test")
    look_at_test_figures(by("ana", home), run)
    assert start_evaluation(by("ben", home), [run], "test") is None  # measured already, and a look all the same
    assert sorted(looks(home, run)["who"]) == ["ana", "ben"]
    with writing(home.engine) as session:  # trained on since
        find_run(session, run).job.ended_at = now()
    look_at_test_figures(by("ana", home), run)
    assert get_run(home, run).looks == 3
    with pytest.raises(RightsError):
        start_evaluation(home.acting_as(Actor("dee", "reviewer")), [run], "test")
    assert get_run(home, run).looks == 3


def test_why_it_failed_is_with_the_job(home, described, monkeypatch):
    run = trained(home, described.id)
    do_jobs_here(monkeypatch)

    def fails(*_: object, **__: object) -> None:
        raise AvionError("there are no validation images of these classes", "Label more images.")

    monkeypatch.setattr("avion_core.protocols.harness.evaluate", fails)
    start_evaluation(home, [run])
    found = evaluation_job(home, [run])
    assert found is not None
    assert (found.state, found.error) == (
        "failed",
        "There are no validation images of these classes. Label more images.",
    )

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from avion_core.errors import NotFoundError
from avion_core.store.database import reading, writing
from avion_core.store.jobs import ask_to_stop, beat, end, end_unheard, queue_again, take
from avion_core.store.runs import count_looks, delete_run, find_run, list_runs
from avion_core.store.tables import Job, Look, Run

SILENT = {"cause": "lost", "error": "Silent."}
ME = {"host": "here", "boot": "one", "pid": 1, "process_started": 2.0}
CLOCK = 5.0


def job(project: str, job_id: str | None = None) -> Job:
    return Job(kind="training", project_id=project, **({} if job_id is None else {"id": job_id}))


@pytest.fixture
def run_id(engine, project) -> str:
    with writing(engine) as session:
        run = Run(job=job(project), project_id=project, name="first", config={}, rule_version=0)
        session.add(run)
    return run.id


@pytest.fixture
def do(engine):
    """One store function in a transaction of its own."""

    def call(function, *arguments, **details):
        with writing(engine) as session:
            return function(session, *arguments, **details)

    return call


@pytest.fixture
def state(engine, run_id):
    def look():
        with reading(engine) as session:
            return find_run(session, run_id).job.state

    return look


def test_a_run_from_queue_to_end(do, run_id, state):
    assert state() == "queued"
    attempt = do(take, run_id, **ME)
    assert state() == "running"
    assert do(beat, run_id, attempt, CLOCK, {"stage": "training"}, Run, {"step": 7, "accuracy": 61.5})
    assert do(end, run_id, attempt, "finished", result={"accuracy": 70.0})
    run = do(find_run, run_id)
    assert (run.step, run.accuracy) == (7, 61.5)
    assert (run.job.state, run.job.stage, run.job.beats, run.job.result) == (
        "finished",
        "training",
        1,
        {"accuracy": 70.0},
    )
    assert not do(beat, run_id, attempt, CLOCK, {"stage": "again"})  # given back


def test_a_process_takes_the_attempt_that_it_was_started_for(do, run_id):
    assert do(take, run_id, 2, **ME) is None
    assert do(take, run_id, 1, **ME) == 1
    do(end, run_id, 1, "stopped")
    assert do(queue_again, run_id)
    assert do(take, run_id, 1, **ME) is None  # started for the first, and late
    assert do(take, run_id, 2, **ME) == 2


def test_of_many_that_want_a_job_one_gets_it(do, run_id):
    with ThreadPoolExecutor(8) as threads:
        attempts = list(threads.map(lambda _: do(take, run_id, **ME), range(8)))
    assert sum(attempt is not None for attempt in attempts) == 1


def test_of_many_that_resume_one_does(do, run_id):
    do(end, run_id, do(take, run_id, **ME), "stopped")
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: do(queue_again, run_id), range(8))) == 1


@pytest.mark.parametrize("ended", ["stopped", "failed", "lost"])
def test_what_can_be_resumed(do, run_id, state, ended):
    do(end, run_id, do(take, run_id, **ME), ended, cause="data", error="Broken.")
    assert do(queue_again, run_id)
    run = do(find_run, run_id)
    job = run.job
    assert (job.state, job.cause, job.error, job.pid, job.attempt) == ("queued", None, None, None, 2)


def test_a_finished_run_is_not_resumed(do, run_id, state):
    do(end, run_id, do(take, run_id, **ME), "finished")
    assert not do(queue_again, run_id)
    assert state() == "finished"


def test_a_stop_reaches_the_process_with_its_next_heartbeat(do, run_id):
    attempt = do(take, run_id, **ME)
    assert do(beat, run_id, attempt, CLOCK, {})
    assert do(ask_to_stop, run_id)
    assert not do(beat, run_id, attempt, CLOCK, {})


def test_a_queued_run_stops_at_once(do, run_id, state):
    assert do(ask_to_stop, run_id)
    assert state() == "stopped"
    assert do(take, run_id, **ME) is None


def test_an_ended_run_cannot_be_stopped(do, run_id):
    do(end, run_id, do(take, run_id, **ME), "finished")
    assert not do(ask_to_stop, run_id)


def test_a_lost_process_that_is_heard_from_again_runs_on(do, run_id, state):
    attempt = do(take, run_id, **ME)
    assert do(end_unheard, do(find_run, run_id).job, "lost", **SILENT)
    assert state() == "lost"
    assert do(beat, run_id, attempt, CLOCK, {"done": 3})
    assert state() == "running"


def test_a_process_that_was_replaced_writes_no_more(do, run_id, state):
    old = do(take, run_id, **ME)
    do(end_unheard, do(find_run, run_id).job, "lost", **SILENT)
    do(queue_again, run_id)
    new = do(take, run_id, **ME)
    assert not do(beat, run_id, old, CLOCK, {}, Run, {"step": 99})
    assert not do(end, run_id, old, "finished")
    assert do(beat, run_id, new, CLOCK, {})
    assert do(find_run, run_id).step == 0


def test_a_run_that_moved_on_is_not_marked_lost(do, run_id, state):
    attempt = do(take, run_id, **ME)
    as_read = do(find_run, run_id).job
    do(beat, run_id, attempt, CLOCK, {})
    assert not do(end_unheard, as_read, "lost", **SILENT)
    assert state() == "running"


def test_a_run_by_id_by_its_beginning_and_the_latest(do, engine, project, run_id):
    second = Run(job=job(project, "zz0000000001"), project_id=project, name="second", config={}, rule_version=0)
    third = Run(job=job(project, "zz0000000002"), project_id=project, name="third", config={}, rule_version=0)
    with writing(engine) as session:
        session.add(second)
    with writing(engine) as session:
        session.add(third)
    assert do(find_run, run_id[:6]).id == run_id
    assert do(find_run, "latest").id == third.id
    assert [run.name for run in do(list_runs, project)] == ["third", "second", "first"]
    with pytest.raises(NotFoundError, match=r"Several runs have ids that begin like this: zz\. Give more characters"):
        do(find_run, "zz")


@pytest.mark.parametrize("wanted", ["nosuch", "", "%"])
def test_a_run_that_is_not_there(do, run_id, wanted):
    with pytest.raises(NotFoundError, match=r"no such run(: .+)?\. Name a run's id"):
        do(find_run, wanted)


def test_latest_of_no_runs(do, engine):
    with pytest.raises(NotFoundError, match=r"no run yet\. Start one with `avion train"):
        do(find_run, "latest")


def test_only_an_ended_run_is_deleted_and_its_looks_go_with_it(do, engine, run_id):
    with writing(engine) as session:
        session.add(Look(run_id=run_id, who="ann"))
    assert not do(delete_run, run_id)
    assert do(count_looks, run_id) == 1
    do(ask_to_stop, run_id)
    assert do(delete_run, run_id)
    assert do(count_looks, run_id) == 0
    assert do(list_runs) == []

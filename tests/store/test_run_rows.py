from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from avion_core.errors import NotFoundError
from avion_core.store.database import reading, writing
from avion_core.store.leases import beat, end, end_unheard, queue_again, request_stop, take
from avion_core.store.runs import count_looks, delete_run, find_run, list_runs
from avion_core.store.tables import Look, Run

SILENT = {"cause": "lost", "error": "Silent."}
ME = {"host": "here", "pid": 1, "process_started": 2.0}


@pytest.fixture
def run_id(engine, project) -> str:
    with writing(engine) as session:
        run = Run(project_id=project, name="first", config={}, rule_version=0)
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
            return find_run(session, run_id).state

    return look


def test_a_run_from_queue_to_end(do, run_id, state):
    assert state() == "queued"
    lease = do(take, Run, run_id, **ME)
    assert state() == "running"
    assert do(beat, Run, run_id, lease, {"step": 7, "accuracy": 61.5})
    assert do(end, Run, run_id, lease, "finished", summary={"accuracy": 70.0})
    run = do(find_run, run_id)
    assert (run.state, run.step, run.accuracy, run.summary, run.lease) == (
        "finished",
        7,
        61.5,
        {"accuracy": 70.0},
        None,
    )


def test_of_many_that_want_a_lease_one_gets_it(do, run_id):
    with ThreadPoolExecutor(8) as threads:
        leases = list(threads.map(lambda _: do(take, Run, run_id, **ME), range(8)))
    assert sum(lease is not None for lease in leases) == 1


def test_of_many_that_resume_one_does(do, run_id):
    do(end, Run, run_id, do(take, Run, run_id, **ME), "stopped")
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: do(queue_again, Run, run_id), range(8))) == 1


@pytest.mark.parametrize("ended", ["stopped", "failed", "lost"])
def test_what_can_be_resumed(do, run_id, state, ended):
    do(end, Run, run_id, do(take, Run, run_id, **ME), ended, cause="data", error="Broken.")
    assert do(queue_again, Run, run_id)
    run = do(find_run, run_id)
    assert (run.state, run.cause, run.error, run.pid) == ("queued", None, None, None)


def test_a_finished_run_is_not_resumed(do, run_id, state):
    do(end, Run, run_id, do(take, Run, run_id, **ME), "finished")
    assert not do(queue_again, Run, run_id)
    assert state() == "finished"


def test_a_stop_reaches_the_process_with_its_next_heartbeat(do, run_id):
    lease = do(take, Run, run_id, **ME)
    assert do(beat, Run, run_id, lease, {})
    assert do(request_stop, Run, run_id)
    assert not do(beat, Run, run_id, lease, {})


def test_a_queued_run_stops_at_once(do, run_id, state):
    assert do(request_stop, Run, run_id)
    assert state() == "stopped"
    assert do(take, Run, run_id, **ME) is None


def test_an_ended_run_cannot_be_stopped(do, run_id):
    do(end, Run, run_id, do(take, Run, run_id, **ME), "finished")
    assert not do(request_stop, Run, run_id)


def test_a_lost_process_that_is_heard_from_again_runs_on(do, run_id, state):
    lease = do(take, Run, run_id, **ME)
    assert do(end_unheard, do(find_run, run_id), "lost", **SILENT)
    assert state() == "lost"
    assert do(beat, Run, run_id, lease, {"step": 3})
    assert state() == "running"


def test_a_process_that_was_replaced_writes_no_more(do, run_id, state):
    old = do(take, Run, run_id, **ME)
    do(end_unheard, do(find_run, run_id), "lost", **SILENT)
    do(queue_again, Run, run_id)
    new = do(take, Run, run_id, **ME)
    assert not do(beat, Run, run_id, old, {"step": 99})
    assert not do(end, Run, run_id, old, "finished")
    assert do(beat, Run, run_id, new, {})
    assert do(find_run, run_id).step == 0


def test_a_run_that_moved_on_is_not_marked_lost(do, run_id, state):
    lease = do(take, Run, run_id, **ME)
    as_read = do(find_run, run_id)
    do(beat, Run, run_id, lease, {})
    assert not do(end_unheard, as_read, "lost", **SILENT)
    assert state() == "running"


def test_a_run_by_id_by_its_beginning_and_the_latest(do, engine, project, run_id):
    second = Run(id="zz0000000001", project_id=project, name="second", config={}, rule_version=0)
    third = Run(id="zz0000000002", project_id=project, name="third", config={}, rule_version=0)
    with writing(engine) as session:
        session.add(second)
    with writing(engine) as session:
        session.add(third)
    assert do(find_run, run_id[:6]).id == run_id
    assert do(find_run, "latest").id == third.id
    assert [run.name for run in do(list_runs, project)] == ["third", "second", "first"]
    with pytest.raises(NotFoundError, match=r"Several runs begin like this: zz\. Give more characters"):
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
    do(request_stop, Run, run_id)
    assert do(delete_run, run_id)
    assert do(count_looks, run_id) == 0
    assert do(list_runs) == []

"""Is it alive? One rule for every kind: setting a clock, a slow start and a zombie do not fool it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, replace
from datetime import timedelta

import psutil
import pytest
from sqlalchemy import update

from avion_core.actor import ALONE
from avion_core.jobs import reconcile as module
from avion_core.jobs.executors import local
from avion_core.jobs.process import ProcessId, find_living, identify, machine_seconds, this_process
from avion_core.jobs.reconcile import reconcile
from avion_core.store import jobs, tables
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Job
from avion_core.usecases.jobs import get_job, kill

KINDS = ("training", "writing", "mapping")
SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Home:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setattr(module, "_watched", {})
    return Home(tmp_path / "home", ALONE)


@pytest.fixture
def child():
    process = subprocess.Popen(SLEEPER)
    yield process
    process.kill()
    process.wait()


def a_job(home: Home, **columns) -> str:
    job = Job(**{"kind": "mapping", **columns})
    with writing(home.engine) as session:
        session.add(job)
    return job.id


def at_work(home: Home, process: ProcessId, silent: float = 0.0, **columns) -> str:
    """A running job of that process, not heard from for so many seconds."""
    values = {
        "state": "running",
        "submission": "x",
        "beats": 3,
        "beat_clock": machine_seconds() - silent,
        "heartbeat_at": tables.now() - timedelta(seconds=silent),
        **asdict(process),
    }
    return a_job(home, **{**values, **columns})


def set_the_clock(monkeypatch, by: timedelta) -> None:
    """What a step of the wall clock changes: the time of day, and start times that are reckoned from it."""
    moment, began = tables.now, psutil.Process.create_time
    for owner in (tables, jobs, module):
        monkeypatch.setattr(owner, "now", lambda: moment() + by)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: began(self) + by.total_seconds())


@pytest.mark.parametrize("by", [AN_HOUR, -AN_HOUR], ids=["forward", "back"])
def test_a_step_of_the_clock_neither_loses_a_job_nor_keeps_it_from_being_killed(empty, child, monkeypatch, by):
    job = at_work(empty, identify(child.pid))
    set_the_clock(monkeypatch, by)
    found = get_job(empty, job)
    assert (found.state, found.alive) == ("running", True)
    assert (found.heartbeat_age or 99) < 30
    with writing(empty.engine) as session:
        assert not jobs.queue_again(session, job)  # no second worker beside it
    assert kill(empty, job)
    assert not psutil.pid_exists(child.pid)
    assert get_job(empty, job).cause == "killed"


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_that_is_still_starting_is_waited_for_whatever_its_kind(empty, child, kind):
    minutes_ago = {"heartbeat_at": tables.now() - timedelta(minutes=5)}
    job = a_job(empty, kind=kind, submission="x", **minutes_ago, **asdict(identify(child.pid)))
    found = get_job(empty, job)
    assert (found.state, found.alive, found.waiting) == ("queued", True, False)
    assert (found.heartbeat_age or 0) > 290


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_that_is_gone_is_lost_at_once_whatever_its_kind(empty, child, kind):
    job = at_work(empty, identify(child.pid), kind=kind)
    child.kill()
    child.wait()
    found = get_job(empty, job)
    assert (found.state, found.cause) == ("lost", "lost")
    assert "ended without a message" in (found.error or "")


def test_a_zombie_of_the_server_is_not_alive(empty, monkeypatch):
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "pass"))
    job = a_job(empty)
    with reading(empty.engine) as session:
        local.LocalExecutor().submit(empty, jobs.find_job(session, job))
    *_, child = local._children.values()
    deadline = time.monotonic() + 60
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, 0)  # the operating system still answers for it
    found = get_job(empty, job)
    assert (found.state, found.cause) == ("failed", "start")
    assert not psutil.pid_exists(child.pid)  # and it was asked about


def test_a_number_that_is_somebody_elses_by_now_is_not_the_process(child):
    process = identify(child.pid)
    assert find_living(process) is not None
    assert find_living(replace(process, process_started=process.process_started + 0.01)) is None
    assert find_living(replace(process, boot="an earlier start of the machine")) is None


def test_rows_from_before_the_machine_told_its_start_are_known_by_the_wall_clock(child):
    began = psutil.Process(child.pid).create_time()
    old = ProcessId(this_process().host, "", child.pid, began)
    assert find_living(old) is not None
    assert find_living(replace(old, process_started=began - 10)) is None


def test_a_job_of_another_machine_is_lost_once_its_heartbeats_stand_still_before_our_eyes(empty, monkeypatch):
    seconds = [1000.0]
    monkeypatch.setattr(module, "machine_seconds", lambda: seconds[0])
    far = ProcessId("far-away", "its own boot", 5, 1.0)
    job = at_work(empty, far, silent=3600)

    def after(passed: float) -> str:
        seconds[0] += passed
        return get_job(empty, job).state

    assert after(0) == "running"  # its clock may be an hour behind ours
    assert after(module.WATCH_SECONDS - 1) == "running"
    with writing(empty.engine) as session:
        session.execute(update(Job).where(Job.id == job).values(beats=4))
    assert after(2) == "running"  # it moved
    assert after(module.WATCH_SECONDS + 1) == "lost"


@pytest.mark.parametrize("by", [AN_HOUR, -AN_HOUR], ids=["forward", "back"])
def test_a_step_of_our_clock_neither_loses_a_job_of_another_machine_nor_keeps_it(empty, monkeypatch, by):
    seconds = [1000.0]
    monkeypatch.setattr(module, "machine_seconds", lambda: seconds[0])
    job = at_work(empty, ProcessId("far-away", "its own boot", 5, 1.0))
    set_the_clock(monkeypatch, by)
    for beats in range(4, 40):  # a live one moves, and stays
        with writing(empty.engine) as session:
            session.execute(update(Job).where(Job.id == job).values(beats=beats))
        assert get_job(empty, job).state == "running"
        seconds[0] += module.WATCH_SECONDS - 1
    seconds[0] += module.LOST_AFTER_SECONDS + 1
    assert get_job(empty, job).state == "lost"


def test_a_silent_process_is_lost_by_the_machines_clock(empty, child):
    job = at_work(empty, identify(child.pid), silent=module.LOST_AFTER_SECONDS + 5)
    reconcile(empty)
    found = get_job(empty, job)
    assert found.state == "lost"
    assert re.match(r"No sign of life from its process for \d\d s\. Resume it", found.error or "")

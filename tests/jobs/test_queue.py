"""The queue: waiting runs one after another, whatever becomes of any of them, and of the queue itself."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from avion_core.errors import JobError
from avion_core.jobs import queue
from avion_core.jobs.executors import local
from avion_core.usecases import job_control
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.runs import launching, training, views
from tests import tiny_studio
from tests.jobs.conftest import PATIENCE_SECONDS, wait_until

SHORT = {"distillation.epochs": 1}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(queue, "QUEUE", (sys.executable, tiny_studio.__file__, "queue"))
    monkeypatch.setattr(queue, "LOOK_SECONDS", 0.05)


def test_a_sweep_is_trained_one_after_another_by_a_process_of_its_own(home):
    ids = launching.launch_sweep(home, "scenes", overrides=SHORT, shots=[2, 1], seeds=[2])
    runs = [wait_until(home, run_id, lambda run: run.state not in ("queued", "running")) for run_id in ids]
    assert [(run.config.data.shots, run.config.data.seed) for run in runs] == [(1, 2), (2, 2)]
    assert [run.state for run in runs] == ["finished"] * 2
    assert runs[0].ended_at is not None
    assert runs[1].started_at is not None
    assert runs[0].ended_at <= runs[1].started_at
    deadline = time.monotonic() + PATIENCE_SECONDS
    while queue.is_served(home, "cpu") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not queue.is_served(home, "cpu")
    assert sum("is finished" in entry.sentence for entry in journal_entries(home, "scenes")) == 2


def test_a_run_that_crashes_does_not_take_the_queue_with_it(home, monkeypatch):
    first, second = (launching.create_run(home, "scenes") for _ in range(2))
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "raise SystemExit('gone')"))
    queue.serve(home, "cpu", threading.Event())
    # The queue ends when it has started the last one, which then has still to come to its end.
    ended = [wait_until(home, run, lambda view: view.state not in ("queued", "running")) for run in (first, second)]
    assert [run.state for run in ended] == ["failed", "failed"]
    assert "The last line of its log: gone." in (ended[1].error or "")


def test_a_run_that_was_started_beside_the_queue_is_waited_for(home, monkeypatch):
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "import time; time.sleep(600)"))
    now, later = launching.launch(home, "scenes"), launching.create_run(home, "scenes")
    stop = threading.Event()
    serving = threading.Thread(target=queue.serve, args=(home, "cpu", stop))
    serving.start()
    time.sleep(0.5)
    assert queue.is_served(home, "cpu")
    assert views.get_run(home, later).waiting
    assert training.sleeping_queue(home, views.list_runs(home)) == []
    training.kill(home, now)
    wait_until(home, later, lambda run: not run.waiting)
    stop.set()
    serving.join(PATIENCE_SECONDS)
    assert not queue.is_served(home, "cpu")


def test_one_at_a_time_serves_a_queue(home, monkeypatch):
    monkeypatch.setattr(queue, "_LOCK_SECONDS", 0.05)
    launching.create_run(home, "scenes")
    with queue._lock(home, "cpu"):
        queue.serve(home, "cpu", threading.Event())  # comes back: somebody else does it
    assert views.list_runs(home)[0].waiting


def test_resuming_while_the_device_is_busy_waits_for_its_turn(home, monkeypatch):
    asked = []
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(training.queue, "ensure_served", asked.append)
    stopped = launching.create_run(home, "scenes")
    training.stop(home, stopped)
    launching.launch(home, "scenes")
    training.resume(home, stopped)
    assert (views.get_run(home, stopped).waiting, asked) == (True, [home])
    job_control.start_job_now(home, stopped)
    assert not views.get_run(home, stopped).waiting
    with pytest.raises(JobError, match=r"is not queued: queued\. Resume it, or start"):
        job_control.start_job_now(home, stopped)


def test_a_queue_is_woken_only_where_somebody_waits(home, monkeypatch):
    started = []
    monkeypatch.setattr(local, "detach", lambda command, log: started.append(command[-1]))
    training.wake_queue(home)
    assert started == []
    run = launching.create_run(home, "scenes")
    training.wake_queue(home)
    assert started == ["cpu"]
    training.stop(home, run)
    training.wake_queue(home)
    assert started == ["cpu"]


def test_runs_whose_inputs_are_elsewhere_are_left_alone(home):
    run = launching.create_run(home, "scenes")
    (home.run_folder(run) / "inputs").rename(home.run_folder(run) / "away")
    queue.serve(home, "cpu", threading.Event())
    assert views.get_run(home, run).waiting

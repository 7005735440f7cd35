from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from datetime import timedelta

import psutil
import pytest
import torch
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from avion_core.errors import DataError, JobError, TrainingError
from avion_core.jobs import heartbeat, reconcile
from avion_core.jobs.causes import explain
from avion_core.jobs.curves import CurveFile, read_curves
from avion_core.jobs.devices import be_exact
from avion_core.jobs.executors import local
from avion_core.jobs.heartbeat import Heartbeat
from avion_core.jobs.log import JobLog, log_tail
from avion_core.jobs.process import find_living, identify, machine_seconds, this_process
from avion_core.store.database import writing
from avion_core.store.jobs import ask_to_stop, take
from avion_core.store.tables import Job, Run, now
from avion_core.usecases import jobs
from avion_core.usecases.runs import launching, training, views


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_process_is_known_by_its_number_and_its_start(child):
    process = identify(child.pid)
    assert find_living(process) is not None
    reused = replace(process, process_started=process.process_started - 100)
    assert find_living(reused) is None


def test_a_zombie_is_not_alive(child):
    process = identify(child.pid)
    psutil.Process(child.pid).kill()
    deadline = time.monotonic() + 10
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, 0)  # the operating system still answers for it
    assert find_living(process) is None


@pytest.mark.parametrize(
    ("error", "cause", "sentence"),
    [
        (DataError("no image", "Add one."), "data", "No image. Add one."),
        (MemoryError(), "out of memory", "smaller distillation.batch_size"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory", "smaller models"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "out of memory",
            "close other programs",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/state.tmp"),
            "disk full",
            "/x/state.tmp. Free some space",
        ),
        (KeyboardInterrupt(), "interrupted", "Resume it from the last checkpoint"),
        (ZeroDivisionError("division by zero\nmore"), "unexpected", "(ZeroDivisionError: division by zero). Run it"),
    ],
)
def test_causes_in_a_word_and_a_sentence(error, cause, sentence):
    found, said = explain(error)
    assert found == cause
    assert sentence in said


def test_curves_of_a_broken_and_resumed_run(tmp_path):
    with CurveFile(tmp_path) as curve:
        curve.write(1, 1, {"loss": 3.0})
        curve.write(2, 1, {"loss": 2.0, "validation_accuracy": 50.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "epo')  # killed in the middle of a line
    with CurveFile(tmp_path) as curve:
        curve.write(2, 1, {"loss": 2.5, "validation_accuracy": 55.0})
        curve.write(3, 2, {"loss": 1.0})
    curves = read_curves(tmp_path).table
    assert curves["step"].tolist() == [1, 2, 3]
    assert curves["loss"].tolist() == [3.0, 2.5, 1.0]
    assert curves["validation_accuracy"].isna().tolist() == [True, False, True]


def test_a_log_goes_on_on_a_line_of_its_own(tmp_path):
    (tmp_path / "log.txt").write_text("killed in the middle of a li")
    with JobLog(tmp_path) as log:
        log.write("taken up")
    first, second = log_tail(tmp_path, 5)
    assert first.endswith("of a li")
    assert second.endswith(" taken up")


def test_curves_before_the_first_step(tmp_path):
    assert read_curves(tmp_path).table.empty
    assert list(read_curves(tmp_path).table.columns) == ["step", "epoch"]
    assert log_tail(tmp_path, 5) == []


@pytest.fixture
def leased(home):
    """A run that this very process holds: (id, attempt)."""
    run_id = launching.create_run(home, "scenes")
    me = this_process()
    with writing(home.engine) as session:
        attempt = take(session, run_id, **asdict(me))
    assert attempt is not None
    yield run_id, attempt
    put(home, run_id, state="stopped")  # so that nobody kills this process for it


def put(home, run_id, **columns):
    """Write columns of a run's job past all rules."""
    with writing(home.engine) as session:
        session.execute(update(Job).where(Job.id == run_id).values(**columns))


def test_the_heartbeat_writes_at_most_once_a_second(home, leased, monkeypatch):
    run_id, attempt = leased
    beats = []
    monkeypatch.setattr(heartbeat, "beat", lambda *arguments: beats.append(arguments[-1]) or True)
    with Heartbeat(home.engine, run_id, attempt, threading.Event()) as heart:
        start = time.monotonic()
        while time.monotonic() - start < 1.5:
            heart.note(done=len(beats))
            time.sleep(0.001)
    assert len(beats) == 2  # one after a second, and the last figures


def test_the_heartbeat_hears_of_a_stop(home, leased):
    run_id, attempt = leased
    stop = threading.Event()
    with Heartbeat(home.engine, run_id, attempt, stop, Run) as heart:
        heart.note_figures(step=4, steps=9)
        assert not stop.wait(0.2)
        with writing(home.engine) as session:
            ask_to_stop(session, run_id)
        assert stop.wait(10)
    assert (views.get_run(home, run_id).step, views.get_run(home, run_id).steps) == (4, 9)


def test_a_busy_database_costs_a_beat_and_no_figures(home, leased, monkeypatch):
    run_id, attempt = leased
    real, calls = heartbeat.beat, []

    def busy_once(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return real(*arguments)

    monkeypatch.setattr(heartbeat, "SECONDS", 0.05)
    monkeypatch.setattr(heartbeat, "beat", busy_once)
    stop = threading.Event()
    with Heartbeat(home.engine, run_id, attempt, stop, Run) as heart:
        heart.note_figures(step=5)
        time.sleep(0.3)
    assert not stop.is_set()
    assert len(calls) > 1
    assert views.get_run(home, run_id).step == 5


def test_silence_is_loss_and_a_new_beat_heals_it(home, leased):
    run_id, attempt = leased
    put(home, run_id, beat_clock=machine_seconds() - reconcile.LOST_AFTER_SECONDS - 5)
    run = views.get_run(home, run_id)
    assert run.state == "lost"
    assert (run.error or "").startswith("No sign of life from its process for 65 s.")
    with Heartbeat(home.engine, run_id, attempt, threading.Event()):
        pass
    run = views.get_run(home, run_id)
    assert (run.state, run.error) == ("running", None)


def test_resuming_a_lost_run_ends_what_is_left_of_its_process(home, leased, child):
    run_id, _ = leased
    sleeper = identify(child.pid)
    put(home, run_id, pid=sleeper.pid, process_started=sleeper.process_started, state="lost")
    training.queue_again(home, run_id)
    assert find_living(sleeper) is None


def test_a_run_that_nobody_started_waits_however_long(home):
    run_id = launching.create_run(home, "scenes")
    put(home, run_id, created_at=now() - timedelta(days=2))
    run = views.get_run(home, run_id)
    assert (run.state, run.waiting, run.alive) == ("queued", True, None)
    assert [run.id for run in training.sleeping_queue(home, [run])] == [run_id]


def test_a_run_that_is_about_to_be_trained_here_does_not_wait(home):
    run_id = launching.create_run(home, "scenes", here=True)
    run = views.get_run(home, run_id)
    assert (run.state, run.waiting, run.pid) == ("queued", False, os.getpid())
    training.stop(home, run_id)
    training.queue_again(home, run_id, here=True)
    assert not views.get_run(home, run_id).waiting
    training.stop(home, run_id)


def test_a_run_of_another_machine_is_not_killed_from_here(home, leased):
    run_id, _ = leased
    put(home, run_id, host="far-away")
    with pytest.raises(JobError, match=r"on another machine: far-away\. Stop it, or kill it on that machine"):
        jobs.kill(home, run_id)
    assert views.get_run(home, run_id).state == "running"


def test_what_cannot_be_done_with_a_run_is_said(home, leased):
    run_id, _ = leased
    hint = rf"not waiting for a process: {run_id}\. Wait for the process that has it"
    with pytest.raises(JobError, match=hint):
        training.run_here(home, run_id, threading.Event())
    put(home, run_id, state="finished")
    with pytest.raises(TrainingError, match=r"has already ended: finished\. Resume it, or start a new one"):
        training.stop(home, run_id)
    with pytest.raises(TrainingError, match=r"no process that could be killed: finished\."):
        training.kill(home, run_id)
    with pytest.raises(TrainingError, match=rf"The run is finished: {run_id}\. Start a new one"):
        training.resume(home, run_id)


def test_a_hundred_thousand_steps_are_thinned_and_it_is_said(tmp_path):
    rows = []
    for step in range(1, 100_001):
        values = {"step": step, "epoch": 1, "loss": 1 / step}
        rows.append(json.dumps(values | ({"validation_accuracy": 50.0} if step % 9_999 == 0 else {})))
    (tmp_path / "metrics.jsonl").write_text("\n".join(rows))
    curves = read_curves(tmp_path, most=1500)
    assert (curves.measured, curves.stride) == (100_000, 67)
    shown = curves.table["step"].tolist()
    assert shown == sorted({*range(1, 100_001, 67), *range(9_999, 100_001, 9_999), 100_000})
    assert curves.table["validation_accuracy"].count() == 10
    by_captions = (tmp_path / "metrics.jsonl").read_text().replace("validation_accuracy", "validation_mr")
    (tmp_path / "metrics.jsonl").write_text(by_captions)
    assert read_curves(tmp_path, most=1500).table["validation_mr"].count() == 10
    assert curves.statement.startswith(f"Drawn: {len(shown):,} of 100,000 measured steps (every 67th, every validation")
    assert read_curves(tmp_path).statement == ""


@pytest.mark.parametrize(
    ("device", "variable", "turned_on"), [("CPU", ":4096:8", []), ("GPU 1", ":4096:8", [True]), ("GPU 1", "", [])]
)
def test_a_gpu_is_made_to_add_up_in_a_fixed_order(monkeypatch, device, variable, turned_on):
    asked = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", asked.append)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", variable)
    be_exact(device)
    assert asked == turned_on


@pytest.mark.parametrize(("set_by_a_person", "found"), [(None, ":4096:8"), ("", ""), (":16:8", ":16:8")])
def test_training_processes_begin_with_a_fixed_cublas_workspace(monkeypatch, tmp_path, set_by_a_person, found):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    if set_by_a_person is not None:
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", set_by_a_person)
    say = "import os; print(repr(os.environ['CUBLAS_WORKSPACE_CONFIG']))"
    pid = local.detach([sys.executable, "-c", say], tmp_path / "log.txt")
    assert local._children.pop(pid).wait(60) == 0
    assert (tmp_path / "log.txt").read_text().strip() == repr(found)

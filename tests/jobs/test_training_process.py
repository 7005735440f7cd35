"""A launched training as a process: it outlives its launcher, stops when asked, and loses nothing to a kill."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from avion_core.distill.adapter import load_state
from avion_core.errors import DataError, TrainingError
from avion_core.jobs.executors import local
from avion_core.jobs.process import ProcessId, find_living
from avion_core.jobs.submit import submit
from avion_core.store.database import reading
from avion_core.store.runs import find_run
from avion_core.usecases import jobs
from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs import launching, training, views
from avion_core.usecases.runs.views import RunView
from tests import tiny_studio
from tests.jobs.conftest import WORKER, ended, make_home, wait_until

pytestmark = pytest.mark.process

LONG = {"distillation.epochs": 400, "distillation.checkpoint_seconds": 0.2, "distillation.validate_every": 50}
SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, images) -> RunView:
    """The long run, trained in one go: what every broken one must end as."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AVION_DATABASE_URL", raising=False)
        for owner, attribute, stand_in in tiny_studio.seams():
            patch.setattr(owner, attribute, stand_in)
        home = make_home(tmp_path_factory.mktemp("unbroken"), images)
        run = training.run_here(home, launching.create_run(home, "scenes", overrides=LONG), threading.Event())
    assert (run.state, run.step) == ("finished", 800)
    return run


def test_a_run_outlives_the_server_that_launched_it(home):
    run_id = launching.create_run(home, "scenes")
    server = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from avion_core.jobs.executors import local
        from avion_core.jobs.submit import submit
        from avion_core.actor import STUDIO
        from avion_core.store.home import Home
        local.WORKER = {WORKER!r}
        submit(Home(Path({str(home.path)!r}), STUDIO), {run_id!r})
        print("started", flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", server], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "started\n"
        process = process_of(home, run_id)
        os.killpg(launcher.pid, signal.SIGKILL)  # the server, and whatever shares its session
    assert os.getsid(process.pid) == process.pid
    run = wait_until(home, run_id, ended)
    assert (run.state, run.step, run.steps, run.epoch, run.error) == ("finished", 6, 6, 3, None)
    assert run.accuracy == run.summary["validation_accuracy"]
    assert run.device == "CPU"
    curves = views.curves(home, run.id).table
    assert curves["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert curves["validation_accuracy"].notna().tolist() == [False, True] * 3
    assert {"loss", "task", "image", "text", "logit"} <= set(curves.columns)
    log = "\n".join(jobs.log_tail(home, run.id, 100))
    assert "saved adapter: adapter.safetensors" in log
    assert log.endswith("finished")


def test_stops_and_resumes_end_in_the_student_of_an_unbroken_run(home, unbroken):
    run_id = launching.launch(home, "scenes", overrides=LONG)
    wait_until(home, run_id, lambda run: run.step >= 10)
    training.stop(home, run_id)
    first = wait_until(home, run_id, ended)
    assert (first.state, saved_step(first.folder)) == ("stopped", first.step)
    assert 10 <= first.step < first.steps

    assert training.resume(home, run_id) == run_id
    wait_until(home, run_id, lambda run: run.step >= first.step + 10)
    os.kill(process_of(home, run_id).pid, signal.SIGTERM)
    second = wait_until(home, run_id, ended)
    assert (second.state, saved_step(second.folder)) == ("stopped", second.step)
    assert first.step < second.step < second.steps

    training.resume(home, run_id)
    run = wait_until(home, run_id, ended)
    assert_same(home, run, unbroken)


def test_sigkill_loses_at_most_the_work_since_the_last_checkpoint(home, unbroken):
    kill_and_resume(home, unbroken, moments=[0, 20, 200], chance=random.Random(1))


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_twenty_sigkills_at_random_moments(home, unbroken):
    chance = random.Random(2603)
    kill_and_resume(home, unbroken, moments=sorted(chance.randrange(780) for _ in range(20)), chance=chance)


def kill_and_resume(home: Home, unbroken: RunView, moments: list[int], chance: random.Random) -> None:
    """Kill a training at or soon after each of these steps, resume it each time, and let it end.

    Each time the row is there and says that the process is gone, and no checkpoint is lost: the training goes on from
    the newest one. In the end the student is that of an unbroken run, to the last bit.
    """
    run_id = launching.launch(home, "scenes", overrides=LONG)
    saved, resumed_from = 0, set[int]()
    for moment in moments:
        wait_until(home, run_id, lambda run, moment=moment: run.step >= moment)
        time.sleep(0.5 * chance.random())
        process = find_living(process_of(home, run_id))
        assert process is not None
        process.send_signal(signal.SIGKILL)
        run = wait_until(home, run_id, ended)
        if run.state == "failed":  # killed before it took the run
            assert (run.error or "").startswith("Its process ended before the work could begin (SIGKILL, ")
        else:
            assert (run.state, run.cause) == ("lost", "lost")
            assert "Resume it from the last checkpoint" in (run.error or "")
        before, saved = saved, saved_step(run.folder)
        assert before <= saved
        training.resume(home, run_id)
        resumed_from |= {saved} - {0}
    assert_same(home, wait_until(home, run_id, ended), unbroken)
    log = "\n".join(jobs.log_tail(home, run_id, 10_000))
    assert [step for step in resumed_from if f"resuming after step {step}\n" not in log] == []


def test_a_queued_run_that_is_stopped_never_begins(home, monkeypatch):
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-m", "avion_core.jobs.worker"))
    run_id = launching.create_run(home, "scenes")
    training.stop(home, run_id)
    submit(home, run_id)
    *_, process = local._children.values()
    assert process.wait(60) == 1
    assert views.get_run(home, run_id).state == "stopped"
    assert "The job is not waiting for a process" in jobs.log_tail(home, run_id, 1)[0]


CRASHES = "import sys, time; time.sleep(0.3); sys.exit('ImportError: no module named towers')"


def test_a_process_that_crashes_at_import_says_why_and_is_reaped(home, monkeypatch):
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", CRASHES))
    run_id = launching.launch(home, "scenes")
    process = process_of(home, run_id)
    starting = views.get_run(home, run_id)
    assert (starting.state, starting.waiting, starting.alive, starting.pid) == ("queued", False, True, process.pid)
    run = wait_until(home, run_id, ended)
    assert (run.state, run.cause, run.alive) == ("failed", "start", None)
    assert run.error == (
        "Its process ended before the work could begin (exit code 1). The last line of its log: ImportError: no "
        "module named towers. Fix that and resume it."
    )
    views.list_runs(home)
    assert not psutil.pid_exists(process.pid)
    assert process.pid not in local._children


def test_a_killed_run_says_so_and_can_be_resumed(home, monkeypatch):
    monkeypatch.setattr(local, "WORKER", SLEEPER)
    run_id = launching.launch(home, "scenes")
    process = process_of(home, run_id)
    training.kill(home, run_id)
    run = views.get_run(home, run_id)
    assert (run.state, run.cause) == ("stopped", "killed")
    assert find_living(process) is None
    training.resume(home, run_id)
    run = views.get_run(home, run_id)
    assert (run.state, run.cause, run.error) == ("queued", None, None)
    assert process_of(home, run_id).pid != process.pid


def test_of_two_resumes_the_second_is_told_so(home, monkeypatch):
    monkeypatch.setattr(local, "WORKER", SLEEPER)
    run_id = launching.create_run(home, "scenes")
    training.stop(home, run_id)
    training.resume(home, run_id)
    with pytest.raises(TrainingError, match=rf"already running: {run_id}\. Wait for it, or stop it first"):
        training.resume(home, run_id)


def test_a_failure_becomes_a_word_and_a_sentence(home):
    run_id = launching.create_run(home, "scenes")
    (home.run_folder(run_id) / "inputs" / "project.json").unlink()
    with pytest.raises(DataError):
        training.run_here(home, run_id, threading.Event())
    run = views.get_run(home, run_id)
    assert (run.state, run.cause) == ("failed", "data")
    assert (run.error or "").startswith("The run's inputs no longer exist:")
    assert (run.error or "").endswith("Start a new run.")
    assert any("Traceback" in line for line in jobs.log_tail(home, run_id, 50))


def assert_same(home: Home, run: RunView, unbroken: RunView) -> None:
    """The same figures, the same curve, and the same numbers byte by byte."""
    assert (run.state, run.step) == ("finished", unbroken.steps)
    assert _figures(run) == _figures(unbroken)
    assert student(run.folder) == student(unbroken.folder)
    assert views.curves(home, run.id).table["step"].tolist() == list(range(1, unbroken.steps + 1))


def _figures(run: RunView) -> dict[str, object]:
    """The summary, but for what is of the machine: wall time, what else ran then, what it was computed with (threads of
    the test's process and of a worker differ)."""
    of_the_machine = ("training_seconds", "others_at_work", "arithmetic")
    return {name: value for name, value in (run.summary or {}).items() if name not in of_the_machine}


def student(folder: Path) -> dict[str, bytes]:
    tensors = load_file(folder / "adapter.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def saved_step(folder: Path) -> int:
    state = folder / "state.safetensors"
    return load_state(state)[0].step if state.exists() else 0


def process_of(home: Home, run_id: str) -> ProcessId:
    with reading(home.engine) as session:
        process = local.process_of(find_run(session, run_id).job)
    assert process is not None
    return process

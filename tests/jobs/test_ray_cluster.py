"""A training on a real Ray head of this machine, that asks for a token: as good as a local one, to the last bit.

Run by `pytest -m slow tests/jobs/test_ray_cluster.py` where the command `ray` is on the path (docs/ray.md).
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from avion_core import cli
from avion_core.jobs.executors import local, ray
from avion_core.jobs.executors.ray_api import RayCluster
from avion_core.store.database import reading
from avion_core.store.jobs import find_job
from avion_core.store.tables import Job
from avion_core.usecases import jobs
from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs import launching, training, views
from avion_core.usecases.runs.views import RunView
from tests import tiny_studio
from tests.jobs.conftest import WORKER, ended, make_home, wait_until
from tests.jobs.test_training_process import LONG, assert_same, saved_step
from tests.pages.conftest import MAIN, settle

RAY = shutil.which("ray", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.timeout(900),
    pytest.mark.skipif(RAY is None, reason="needs ray"),
]


@pytest.fixture(scope="module")
def head() -> Iterator[RayCluster]:
    """A head node with two CPUs on loopback, whose processes end with the tests."""
    token, folder = secrets.token_hex(24), Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # a socket's path is short
    gcs, dashboard = free_port(), free_port()
    settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0"}
    settings |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    options = {
        "node-ip-address": "127.0.0.1", "port": gcs, "num-cpus": 2, "num-gpus": 0, "object-store-memory": 100_000_000,
        "dashboard-host": "127.0.0.1", "dashboard-port": dashboard, "min-worker-port": 0, "max-worker-port": 0,
        "ray-client-server-port": free_port(), "temp-dir": folder,
    }  # fmt: skip
    command = [str(RAY), "start", "--head", "--block", *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "head.txt").open("w") as output:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=output, stderr=output)
    cluster = RayCluster(f"http://127.0.0.1:{dashboard}", token)
    try:
        began = time.monotonic()
        while not answers(cluster):
            assert process.poll() is None, (folder / "head.txt").read_text()
            assert time.monotonic() - began < START_SECONDS
            time.sleep(0.5)
        print(f"the head took {time.monotonic() - began:.0f} s to start")
        print(f"and {sum(memory(one) for one in family(process.pid)) / 1e9:.2f} GB at rest")
        yield cluster
    finally:
        own = family(process.pid)
        process.terminate()
        psutil.wait_procs(own, timeout=20)
        for left in (one for one in own if one.is_running()):
            left.kill()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home(tmp_path, monkeypatch, images, head) -> Home:
    """A described project whose jobs go to the cluster, where tiny towers are trained."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("AVION_EXECUTOR", "ray")
    monkeypatch.setenv("AVION_RAY_ADDRESS", head.address)
    monkeypatch.setenv("RAY_AUTH_TOKEN", head.token)
    monkeypatch.setattr(ray, "WORKER", WORKER)
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "raise SystemExit('not on this machine')"))
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)
    return make_home(tmp_path, images)


def test_a_run_is_submitted_stopped_and_resumed_and_ends_as_a_local_one(home, tmp_path, images, head):
    alone = make_home(tmp_path / "alone", images)
    run = launching.create_run(alone, "scenes", overrides=LONG, here=True)
    unbroken = training.run_here(alone, run, threading.Event())

    began = time.monotonic()
    settings = [part for name, value in LONG.items() for part in ("--set", f"{name}={value}")]
    submitted = CliRunner().invoke(
        cli.app, ["--home", str(home.path), "train", "scenes", "--queue", *settings], catch_exceptions=False
    )
    assert submitted.exit_code == 0, submitted.output
    run_id = views.get_run(home, "latest").id
    wait_until(home, run_id, lambda run: run.state == "running")
    print(f"a job took {time.monotonic() - began:.1f} s to begin")
    first = wait_until(home, run_id, lambda run: run.step >= 10)
    assert any("attempt 1" in line for line in jobs.log_tail(home, run_id, 1000))
    assert any("Running entrypoint" in line for line in ray.RayExecutor().logs(home, job_of(home, run_id), 100))

    training.stop(home, run_id)  # as a person asks: its row says so
    first = wait_until(home, run_id, ended)
    assert (first.state, saved_step(first.folder)) == ("stopped", first.step)

    training.resume(home, run_id)
    wait_until(home, run_id, lambda run: run.step >= first.step + 10)
    began = time.monotonic()
    ray.RayExecutor().stop(home, job_of(home, run_id))  # as whoever looks after the cluster may: SIGTERM
    print(f"Ray's own stop took {time.monotonic() - began:.1f} s, state and all")
    second = wait_until(home, run_id, ended)
    assert (second.state, saved_step(second.folder)) == ("stopped", second.step)
    assert first.step < second.step < second.steps

    training.resume(home, run_id)
    assert_same(home, wait_until(home, run_id, ended), unbroken)
    assert all(head.record(f"{run_id}-{attempt}") for attempt in (1, 2, 3))


def test_a_run_that_a_page_starts_goes_to_the_cluster(home, monkeypatch):
    monkeypatch.setenv("AVION_HOME", str(home.path))
    app = AppTest.from_file(str(MAIN), default_timeout=120).run()
    app = settle(app.switch_page("../pages/launch.py").run())
    began = time.monotonic()
    next(button for button in app.button if button.label == "Start now").click().run()
    assert not app.exception
    run = wait_until(home, "latest", ended)
    assert (run.state, run.step) == ("finished", run.steps)
    assert job_of(home, run.id).executor == "ray"
    print(f"a run of {run.steps} steps took {time.monotonic() - began:.0f} s in all")


def test_a_job_for_which_there_is_no_gpu_waits_and_is_killed(home, monkeypatch):
    monkeypatch.setenv("AVION_RAY_GPUS", "1")
    run_id = launching.launch(home, "scenes")
    time.sleep(5)
    run: RunView = views.get_run(home, run_id)
    assert (run.state, run.alive) == ("queued", True)
    training.kill(home, run_id)
    assert views.get_run(home, run_id).state == "stopped"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(cluster: RayCluster) -> bool:
    try:
        return cluster.record("nobody") is None
    except Exception:
        return False


def family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def memory(process: psutil.Process) -> int:
    return process.memory_full_info().pss


def job_of(home: Home, run_id: str) -> Job:
    with reading(home.engine) as session:
        return find_job(session, run_id)

"""Generations as processes: killed and resumed, stopped, and silent about what is nobody's business."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from avion_core.actor import ALONE
from avion_core.descriptions.writers.gemini import DEFAULT_MODEL
from avion_core.store import generations as generation_rows
from avion_core.store.database import reading
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.writing import generations, ordering
from tests import tiny_studio
from tests.descriptions.writers.loopback import KEY, Say, loopback, written

PER_CLASS = 120  # three requests per class


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    home = Home(tmp_path / "home", ALONE)
    return home, create_project(home, "scenes", tiny_studio.make_images(tmp_path / "scenes"))


def order(home: Home, address: str, **settings) -> str:
    chosen = {"base_url": address, "per_class": PER_CLASS, "distinguish": 0, "concurrency": 2, **settings}
    return ordering.order_descriptions(home, "scenes", ordering.make_writing_settings(chosen))


def process(home: Home, generation: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "avion_core.jobs.worker", "--home", str(home.path), "--job", generation]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ))


def texts(home: Home, project_id: str) -> dict[str, list[str]]:
    with reading(home.engine) as session:
        by_class = {
            key: generation_rows.texts_of(session, project_id, key, "gemini", DEFAULT_MODEL)
            for key in tiny_studio.CLASSES
        }
    return {key: [*own, *others] for key, (own, others) in by_class.items()}


def test_killed_and_resumed_it_ends_the_same(project):
    home, summary = project

    def slow(ask):
        time.sleep(0.15)
        return written(ask)

    with loopback(slow) as server:
        generation = order(home, server.address)
        worker = process(home, generation)
        while not sum(map(len, texts(home, summary.id).values())):
            assert worker.poll() is None, worker.communicate()[0]
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)
        worker.communicate(timeout=20)
        before = texts(home, summary.id)
        assert 0 < sum(map(len, before.values())) < 3 * PER_CLASS
        assert generations.get_generation(home, "scenes", generation).state == "lost"
        assert ordering.resume(home, "scenes") == generation
        worker = process(home, generation)
        said, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0, said
    after = texts(home, summary.id)
    # What an unbroken run would have: every class complete, each text once, nothing asked for that was there.
    assert {key: len(set(found)) for key, found in after.items()} == dict.fromkeys(tiny_studio.CLASSES, PER_CLASS)
    assert all(set(before[key]) <= set(after[key]) for key in after)
    # Lost were at most two requests on their way, and two that had been answered and not yet saved.
    assert sum(ask.data["count"] for ask in server.asks) <= 3 * PER_CLASS + 4 * 50
    view = generations.get_generation(home, "scenes", generation)
    assert (view.state, view.classes, view.classes_done) == ("finished", 3, 3)
    assert view.written == 3 * PER_CLASS


def test_sigterm_saves_what_is_on_its_way(project):
    home, summary = project

    def slow(ask):
        time.sleep(0.3)
        return written(ask)

    with loopback(slow) as server:
        worker = process(home, order(home, server.address))
        while not server.asks:
            time.sleep(0.02)
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0, said
        asked = sum(ask.data["count"] for ask in server.asks)
    assert sum(map(len, texts(home, summary.id).values())) == asked
    assert generations.get_generation(home, "scenes").state == "stopped"


@pytest.mark.parametrize("wrong", [False, True], ids=["good key", "wrong key"])
def test_no_key_host_or_text_in_the_log(project, wrong):
    home, _ = project

    def script(ask):
        if wrong:
            return Say(status=401)
        return Say("An aerial view that is no JSON at all.") if ask.nth == 1 else written(ask)

    with loopback(script) as server:
        generation = order(home, server.address, per_class=3)
        worker = process(home, generation)
        said, _ = worker.communicate(timeout=60)
        host = server.address.removeprefix("http://")
    said += (home.path / "generations" / generation / "log.txt").read_text()
    assert worker.returncode == (1 if wrong else 0), said
    assert "Gemini does not accept the key: 401" in said if wrong else "beach: done, 3 of 3" in said
    for secret in (KEY, host, "127.0.0.1", "aerial", "pattern number"):
        assert secret not in said.casefold()
    with reading(home.engine) as session:
        (row,) = generation_rows.list_generations(session, ordering.get_project(home, "scenes").id)
        assert KEY not in str(row.settings) + (row.job.error or "")
    assert not [path for path in home.path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_two_processes_do_not_write_the_same_generation(project):
    home, _ = project
    with loopback(lambda ask: written(ask)) as server:
        generation = order(home, server.address, per_class=5)
        workers = [process(home, generation) for _ in range(2)]
        ends = [worker.communicate(timeout=60)[0] for worker in workers]
        assert sorted(worker.returncode for worker in workers) == [0, 1], ends
    assert any("The job is not waiting for a process" in said for said in ends)
    assert len(server.asks) == 3

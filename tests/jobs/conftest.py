from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from avion_core.actor import ALONE
from avion_core.backbones.load import WeightStore
from avion_core.jobs.executors import local
from avion_core.usecases import jobs
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.runs import views
from tests import tiny_studio

WORKER = (sys.executable, tiny_studio.__file__)
PATIENCE_SECONDS = 200.0


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    return tiny_studio.make_images(tmp_path_factory.mktemp("images") / "scenes")


@pytest.fixture
def home(tmp_path, monkeypatch, images) -> Iterator[Home]:
    """A home with the described project "scenes", whose detached processes train tiny towers."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(local, "WORKER", WORKER)
    monkeypatch.setattr(WeightStore, "path", lambda *_: Path("tiny"))
    home = make_home(tmp_path, images)
    yield home
    for run in views.list_runs(home):
        if run.state in ("queued", "running"):
            jobs.kill(home, run.id)
    for child in local._children.values():
        child.wait(PATIENCE_SECONDS)


def make_home(folder: Path, images: Path) -> Home:
    home = Home(folder / "home", ALONE)
    create_project(home, "scenes", images, defaults=tiny_studio.DEFAULTS)
    import_descriptions(home, "scenes", tiny_studio.make_descriptions(folder / "texts.json"))
    return home


def wait_until(home: Home, run_id: str, done: Callable[[views.RunView], bool]) -> views.RunView:
    """The run as soon as `done` says so; fails when that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        run = views.get_run(home, run_id)
        if done(run):
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run.state} at step {run.step}: {run.error} {jobs.log_tail(home, run_id, 20)}")


def ended(run: views.RunView) -> bool:
    return run.state not in ("queued", "running")

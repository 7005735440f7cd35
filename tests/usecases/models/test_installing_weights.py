"""Weights on their way in as a job: downloaded, stopped, resumed, added from a file, refused by name, one at a time."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from avion_core.actor import ALONE, Actor
from avion_core.backbones.load import WeightStore
from avion_core.errors import CheckpointError, JobError, NotFoundError, RightsError
from avion_core.jobs.executors import local
from avion_core.store.database import writing
from avion_core.store.tables import Job
from avion_core.usecases.installation.home import Home
from avion_core.usecases.job_control import resume_job, stop_job
from avion_core.usecases.jobs import JobView, get_job
from avion_core.usecases.models import installing
from avion_core.usecases.models.catalog import Model, list_models
from avion_core.wording import size
from tests import tiny_studio
from tests.backbones.test_load_download import ADDRESS, NAME, Hub, hub
from tests.jobs_here import do_jobs_here

__all__ = ["hub"]  # a fixture: the server on this machine that speaks as the hub does


@pytest.fixture
def home(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    home = Home(tmp_path / "home", ALONE)
    home.path.mkdir()
    home._folder.weights = WeightStore(home.path / "weights", endpoint=hub.endpoint)
    return home


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    do_jobs_here(monkeypatch)


class StopAt:
    """Somebody who asks for a stop once so many bytes are there."""

    def __init__(self, stop: threading.Event, done: int) -> None:
        self.stop, self.done = stop, done

    def event(self, event: object) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None:
        if done >= self.done:
            self.stop.set()


def download_half(home: Home) -> JobView:
    stop = threading.Event()
    assert installing.install_here(home, NAME, None, stop, StopAt(stop, 50_000)) == "stopped"
    return installing.installing_jobs(home)[NAME]


def listed(home: Home) -> Model:
    return next(model for model in list_models(home) if model.name == NAME)


@pytest.mark.usefixtures("here")
def test_a_download_is_stopped_and_resumed_as_the_same_job(home: Home, hub: Hub) -> None:
    job = download_half(home)
    assert (job.state, job.counts) == ("stopped", f"50 KB of {size(len(hub.content))}")
    assert (listed(home).installed, listed(home).partial_bytes) == (False, 50_000)
    assert installing.start_download(home, NAME) == job.id
    done = get_job(home, job.id)
    assert (done.state, done.attempt, done.done) == ("finished", 2, len(hub.content))
    assert done.result["size_bytes"] == len(hub.content)
    found = listed(home)
    assert (found.installed, found.partial_bytes, found.size_bytes) == (True, 0, len(hub.content))
    assert found.origin == "hub: Zilun/GeoRSCLIP/ckpt/RS5M_ViT-B-32.pt"
    assert [wanted for _, wanted in hub.asked] == [None, "bytes=50000-"]


def test_a_download_goes_on_in_a_process_that_needs_no_server(
    home: Home, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = download_half(home)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setattr(local, "WORKER", (sys.executable, tiny_studio.__file__))
    assert installing.start_download(home, NAME) == job.id
    deadline = time.monotonic() + 200
    while (found := get_job(home, job.id)).active:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert (found.state, found.error) == ("finished", None)
    assert found.pid != os.getpid()
    assert [wanted for path, wanted in hub.asked if path == ADDRESS] == [None, "bytes=50000-"]
    assert listed(home).size_bytes == len(hub.content)


@pytest.mark.usefixtures("here")
def test_a_hub_that_refuses_is_reported_and_can_be_asked_again(home: Home, hub: Hub) -> None:
    hub.status = 500
    job = get_job(home, installing.start_download(home, NAME))
    assert job.state == "failed"
    assert "could not be downloaded" in str(job.error)
    hub.status = 200
    assert get_job(home, installing.start_download(home, NAME)).state == "finished"


def put(home: Home, **columns: object) -> str:
    with writing(home.engine) as session:
        job = Job(**{"kind": "installing", "lane": "network", "request": {"model": NAME, "file": ""}, **columns})
        session.add(job)
    return job.id


@pytest.mark.usefixtures("here")
def test_one_job_at_a_time_installs_the_weights_of_a_model(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.touch()
    stopped = put(home, state="stopped", request={"model": NAME, "file": str(file)})
    under_way = put(home)
    assert installing.start_download(home, NAME) == under_way
    refused = rf"another job already works on this model: {NAME}\. Wait for job {under_way}"
    for second in (lambda: installing.start_adding(home, NAME, file), lambda: resume_job(home, stopped)):
        with pytest.raises(JobError, match=f"(?i){refused}"):
            second()
    stop_job(home, under_way)
    assert resume_job(home, stopped) == stopped


@pytest.mark.usefixtures("here")
def test_a_file_that_a_browser_sent_is_installed(home: Home, hub: Hub) -> None:
    job = get_job(home, installing.start_adding(home, NAME, io.BytesIO(hub.content), "../my weights.pt"))
    assert (job.state, job.counts) == (
        "finished",
        f"{len(hub.content) / 1e3:.0f} KB of {len(hub.content) / 1e3:.0f} KB",
    )
    assert listed(home).origin == "local: my_weights.pt"
    assert [path.name for path in job.folder.iterdir()] == ["log.txt"]  # what was sent is gone


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("sent", [False, True])
def test_a_foreign_file_is_refused_with_the_keys_it_lacks(home: Home, hub: Hub, tmp_path: Path, sent: bool) -> None:
    weights = torch.load(io.BytesIO(hub.content), weights_only=True)
    weights["a.foreign.key"] = weights.pop("text_projection")
    file = tmp_path / "foreign.pt"
    torch.save(weights, file)
    given = (io.BytesIO(file.read_bytes()), "foreign.pt") if sent else (file,)
    job = get_job(home, installing.start_adding(home, NAME, *given))
    assert "text_projection" in str(job.error)
    assert "a.foreign.key" in str(job.error)
    assert not listed(home).installed
    assert [path.name for path in job.folder.iterdir()] == ["log.txt"]
    assert file.exists()


def test_what_cannot_be_installed_is_refused_before_a_job_begins(home: Home, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="The catalog has no such model: nosuch"):
        installing.start_download(home, "nosuch")
    with pytest.raises(NotFoundError, match="These weights come with the package: demo-student"):
        installing.start_download(home, "demo-student")
    with pytest.raises(CheckpointError, match=r"The weights file does not exist: .*nothing\.pt\. Check the path"):
        installing.start_adding(home, NAME, tmp_path / "nothing.pt")
    assert installing.installing_jobs(home) == {}


def test_an_installation_is_stopped_by_those_who_manage_the_studio(home: Home) -> None:
    job = put(home, who="Ana")
    with pytest.raises(RightsError, match="you may not manage users, models and backups"):
        stop_job(home.acting_as(Actor("Ben", "adjudicator")), job)
    assert stop_job(home, job) == job

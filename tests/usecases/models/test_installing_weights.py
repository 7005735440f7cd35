"""Weights on their way in beside the pages: downloaded, stopped, gone on with, added from a file, refused by name."""

from __future__ import annotations

import io
import time
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from avion_core.actor import ALONE
from avion_core.backbones.load import WeightStore
from avion_core.errors import NotFoundError
from avion_core.usecases.installation.home import Home
from avion_core.usecases.models import catalog as models
from tests.backbones.test_load_download import NAME, Hub, hub

__all__ = ["hub"]  # a fixture: the server on this machine that speaks as the hub does


@pytest.fixture
def home(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    home = Home(tmp_path / "home", ALONE)
    home.path.mkdir()
    home._folder.weights = WeightStore(home.path / "weights", endpoint=hub.endpoint)
    return home


def finish(work: models.Installing) -> models.Installing:
    deadline = time.monotonic() + 60
    while not work.finished:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return work


def listed(home: Home) -> models.Model:
    return next(model for model in models.list_models(home) if model.name == NAME)


def test_a_download_is_stopped_and_gone_on_with(home: Home, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    told = models.Installing._progress
    monkeypatch.setattr(
        models.Installing, "_progress", lambda work, *step: (told(work, *step), step[0] >= 50_000 and work.stop())
    )
    work = finish(models.start_download(home, NAME))
    assert (work.error, work.stopping, work.done, work.total) == (None, True, 50_000, len(hub.content))
    assert (listed(home).installed, listed(home).partial_bytes) == (False, 50_000)

    monkeypatch.setattr(models.Installing, "_progress", told)
    work = finish(models.start_download(home, NAME))
    assert (work.error, work.done) == (None, len(hub.content))
    found = listed(home)
    assert (found.installed, found.partial_bytes, found.size_bytes) == (True, 0, len(hub.content))
    assert found.origin == "hub: Zilun/GeoRSCLIP/ckpt/RS5M_ViT-B-32.pt"
    assert [wanted for _, wanted in hub.asked] == [None, "bytes=50000-"]


def test_a_hub_that_refuses_is_told_and_can_be_asked_again(home: Home, hub: Hub) -> None:
    hub.status = 500
    work = finish(models.start_download(home, NAME))
    assert "could not be downloaded" in str(work.error)
    hub.status = 200
    assert finish(models.start_download(home, NAME)).error is None


def test_a_second_press_finds_the_same_download(home: Home) -> None:
    first = models.start_download(home, NAME)
    second = models.start_download(home, NAME)
    assert first is second or first.finished
    assert finish(second) is models.installing(home, NAME)


def test_a_file_that_a_browser_sent_is_installed(home: Home, hub: Hub) -> None:
    assert finish(models.start_adding(home, NAME, io.BytesIO(hub.content), "../my weights.pt")).error is None
    assert listed(home).origin == "local: my_weights.pt"
    assert [path.name for path in home.path.iterdir()] == ["weights"]  # what was sent is gone


def test_a_foreign_file_is_refused_with_the_keys_it_lacks(home: Home, hub: Hub, tmp_path: Path) -> None:
    weights = torch.load(io.BytesIO(hub.content), weights_only=True)
    weights["a.foreign.key"] = weights.pop("text_projection")
    torch.save(weights, tmp_path / "foreign.pt")
    error = str(finish(models.start_adding(home, NAME, tmp_path / "foreign.pt")).error)
    assert "text_projection" in error
    assert "a.foreign.key" in error
    assert not listed(home).installed


def test_a_name_must_be_in_the_catalog(home: Home) -> None:
    with pytest.raises(NotFoundError, match="The catalog has no such model: nosuch"):
        models.start_download(home, "nosuch")

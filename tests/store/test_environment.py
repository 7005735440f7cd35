"""Addresses in the environment that nothing can read are named with their variable before a library trips over them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from avion_core.actor import ALONE
from avion_core.descriptions.writers.settings import WritingSettings
from avion_core.errors import AvionError, StoreError
from avion_core.jobs.executors.ray_api import find_cluster
from avion_core.jobs.writing_orders import open_writer
from avion_core.store.database import database_url
from avion_core.store.environment import refuse_unusable_hub, refuse_unusable_proxies
from avion_core.store.home import Home

BROKEN = ("http://[::1", "https://[zz]/", "http://hub:port", "http://hub:99999", "http://hub:-1", "http://hub:0")
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in (*PROXIES, "http_proxy", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("address", BROKEN)
def test_a_hub_that_cannot_be_read_is_named(monkeypatch, tmp_path, address):
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(StoreError) as raised:
        Home(tmp_path, ALONE)
    assert str(raised.value).startswith(f"The environment variable HF_ENDPOINT is not an address: {address}.")


@pytest.mark.parametrize("address", ["", "https://huggingface.co", "http://127.0.0.1:8080/hub", "http://[::1]:8080"])
def test_other_hubs_are_taken(monkeypatch, address):
    monkeypatch.setenv("HF_ENDPOINT", address)
    refuse_unusable_hub()


@pytest.mark.parametrize("address", [*BROKEN, "foo://proxy:3128", "proxy:port", "[::1:3128"])
@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_that_cannot_be_read_is_named(monkeypatch, name, address):
    monkeypatch.setenv(name, address)
    with pytest.raises(StoreError, match=f"environment variable {name} is not an address"):
        refuse_unusable_proxies()
    with pytest.raises(StoreError, match=name):
        open_writer(WritingSettings(writer="openai-compatible", base_url="http://localhost:1/v1", model="m"), {})


@pytest.mark.parametrize("address", ["proxy:3128", "http://proxy:3128", "http://me:pass@proxy", "socks5://h:1", "::1"])
def test_other_proxies_are_taken(monkeypatch, address):
    monkeypatch.setenv("HTTPS_PROXY", address if address != "::1" else "http://[::1]:3128")
    refuse_unusable_proxies()


def test_no_password_of_a_proxy_is_shown(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy:port")
    with pytest.raises(StoreError) as raised:
        refuse_unusable_proxies()
    assert "hunter2" not in str(raised.value)
    assert "http://***@proxy:port" in str(raised.value)


@pytest.mark.parametrize("address", ["postgresql://host:port/x", "postgresql://[::1/x", "nothing", "://"])
def test_a_database_that_cannot_be_read_is_named(monkeypatch, tmp_path, address):
    monkeypatch.setenv("AVION_DATABASE_URL", address)
    with pytest.raises(StoreError, match="AVION_DATABASE_URL cannot be used"):
        database_url(tmp_path)


@pytest.mark.parametrize("address", BROKEN)
def test_a_cluster_that_cannot_be_read_is_named(monkeypatch, address):
    monkeypatch.setenv("AVION_RAY_ADDRESS", address)
    with pytest.raises(AvionError, match="The Ray cluster has no address") as raised:
        find_cluster()
    assert "AVION_RAY_ADDRESS" in str(raised.value)


@pytest.mark.process
def test_a_command_says_it_before_anything_is_imported(tmp_path):
    said = subprocess.run(
        [sys.executable, "-c", "from avion_core.cli import app; app()", "models", "list", "--json", "--home", tmp_path],
        env=os.environ | {"HF_ENDPOINT": "http://[::1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    assert "HF_ENDPOINT is not an address: http://[::1." in json.loads(said.stdout)["error"]
    assert "Traceback" not in said.stderr

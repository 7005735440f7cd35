"""Generations that are resumed: after outages, elsewhere, without their orders, and in the services' words."""

from __future__ import annotations

import shutil
import threading
import time

import pytest

from avion_core.actor import ALONE
from avion_core.descriptions.writers.patience import Waiting
from avion_core.errors import AvionError, ConfigError, NotFoundError
from avion_core.store import generations as generation_rows
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.transfer.packs import pack_project, unpack_project
from avion_core.usecases.transfer.relink import relink
from avion_core.usecases.writing import generations, ordering
from tests import tiny_studio
from tests.descriptions.writers.loopback import Say, loopback, written
from tests.usecases.writing.ordered import have_written, settings


def test_a_generation_that_came_without_its_orders_says_so_and_is_resumed(home, project):
    with loopback() as server:
        generation = ordering.order_descriptions(home, "scenes", settings(server))
        shutil.rmtree(home.path / "generations")  # as after a restored backup
        with pytest.raises(AvionError, match=rf"do not exist on this machine: {generation}\. Resume it"):
            ordering.write_here(home, generation, threading.Event())
        assert generations.get_generation(home, "scenes").state == "failed"
        ordering.write_here(home, ordering.resume(home, "scenes"), threading.Event())
    assert generations.get_generation(home, "scenes").written == 12


def test_a_generation_goes_on_where_its_project_was_unpacked(home, project, tmp_path):
    with loopback() as server:
        ordering.order_descriptions(home, "scenes", settings(server, pictures=1))
        pack_project(home, "scenes", tmp_path / "p.avion", images=True)
        away = Home(tmp_path / "away", ALONE)
        unpack_project(away, tmp_path / "p.avion")
        generation = ordering.resume(away, "scenes")
        ordering.write_here(away, generation, threading.Event())
        assert [ask.pictures for ask in server.asks] == [1, 1, 1]
    orders = (away.path / "generations" / generation / "orders.jsonl").read_text(encoding="utf-8")
    assert str(away.path) in orders


def test_pictures_that_moved_are_found_again(home, tmp_path):
    images = tiny_studio.make_images(tmp_path / "before")
    create_project(home, "scenes", images)
    with loopback() as server:
        generation = ordering.order_descriptions(home, "scenes", settings(server, pictures=1))
        images.rename(tmp_path / "after")
        with pytest.raises(NotFoundError, match=r"training image was not found: .*before.*Link the project"):
            ordering.write_here(home, generation, threading.Event())
        relink(home, "scenes", tmp_path / "after")
        ordering.write_here(home, ordering.resume(home, "scenes"), threading.Event())
    assert generations.get_generation(home, "scenes").written == 12


def test_a_generation_that_met_an_outage_is_resumed(home, project, monkeypatch):
    monkeypatch.setattr("avion_core.descriptions.writers.patience.LONGEST_WAIT_SECONDS", 0.01)
    out = True

    def script(ask):
        return Say(status=503) if out else written(ask)

    with loopback(script) as server:
        generation = ordering.order_descriptions(home, "scenes", settings(server))
        with pytest.raises(AvionError, match="no longer answers: 503"):
            ordering.write_here(home, generation, threading.Event())
        view = generations.get_generation(home, "scenes")
        assert (view.state, view.written) == ("failed", 0)
        out = False
        assert ordering.write_here(home, ordering.resume(home, "scenes"), threading.Event()) == "finished"
    assert generations.get_generation(home, "scenes").written == 12


def test_a_service_that_makes_it_wait_is_said_while_it_does(home, project, monkeypatch):
    monkeypatch.setattr("avion_core.descriptions.writers.patience.TOLD_SECONDS", 0.01)
    monkeypatch.setattr("avion_core.jobs.heartbeat.SECONDS", 0.05)
    said: list[str] = []

    def script(ask):
        return Say(status=429, headers={"Retry-After": "0.1"}) if ask.nth == 1 else written(ask)

    def listen(event) -> None:
        if isinstance(event, Waiting):
            for _ in range(100):
                if waiting := generations.get_generation(home, "scenes", generation).waiting:
                    said.append(waiting)
                    return
                time.sleep(0.05)

    with loopback(script) as server:
        generation = ordering.order_descriptions(home, "scenes", settings(server, concurrency=1))
        ordering.write_here(home, generation, threading.Event(), listen)
    assert said
    assert "Gemini cannot answer now: 429" in said[0]
    view = generations.get_generation(home, "scenes", generation)
    assert (view.state, view.written, view.waiting) == ("finished", 12, "")


def test_a_daily_quota_ends_a_generation_in_the_services_words(home, project):
    error = {"code": 429, "message": "Quota for requests per day exceeded.", "status": "RESOURCE_EXHAUSTED"}
    with loopback(lambda ask: Say(status=429, error=error, headers={"Retry-After": "1"})) as server:
        generation = ordering.order_descriptions(home, "scenes", settings(server))
        with pytest.raises(AvionError, match="quota for the day is used up"):
            ordering.write_here(home, generation, threading.Event())
        assert len(server.asks) <= 4
    view = generations.get_generation(home, "scenes", generation)
    assert view.state == "failed"
    assert "429 “Quota for requests per day exceeded.”" in view.error


def test_one_reply_that_cannot_be_saved_loses_no_other(home, project, monkeypatch):
    save, trouble = generation_rows.save_reply, [OSError("the disk is away")]

    def failing(*args):
        if trouble:
            raise trouble.pop()
        return save(*args)

    monkeypatch.setattr(generation_rows, "save_reply", failing)
    together = threading.Barrier(3)

    def script(ask):
        together.wait(10)
        return written(ask)

    with loopback(script) as server:
        generation = ordering.order_descriptions(home, "scenes", settings(server))
        with pytest.raises(OSError, match="disk is away"):
            ordering.write_here(home, generation, threading.Event())
    view = generations.get_generation(home, "scenes", generation)
    assert (view.state, view.written) == ("failed", 8)


def test_the_newest_that_can_be_resumed_is(home, project):
    with loopback(lambda ask: Say(status=401)) as server:
        failed = ordering.order_descriptions(home, "scenes", settings(server))
        with pytest.raises(AvionError, match="does not accept the key"):
            ordering.write_here(home, failed, threading.Event())
    with loopback() as server:
        have_written(home, server, classes=("beach",))  # newer, and finished
        assert ordering.resume(home, "scenes") == failed
        assert ordering.resume(home, "scenes") == failed  # queued: no process has taken it
        never_begun = ordering.order_descriptions(home, "scenes", settings(server))
        assert ordering.resume(home, "scenes") == never_begun


def test_a_finished_generation_is_not_resumed(home, project):
    with loopback() as server:
        have_written(home, server)
    with pytest.raises(ConfigError, match=r"cannot be resumed: finished\. .*start a new one"):
        ordering.resume(home, "scenes")
    with pytest.raises(NotFoundError, match="no such generation: zzz"):
        generations.get_generation(home, "scenes", "zzz")

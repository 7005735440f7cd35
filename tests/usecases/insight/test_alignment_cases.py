"""Maps of a trained run: what is on them, when they are made anew, and that their process can be left and ended."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pandas as pd
import pytest
from argon2 import PasswordHasher

from avion_core.actor import ALONE
from avion_core.errors import DataError, NotFoundError, RightsError, TrainingError
from avion_core.jobs.executors import local
from avion_core.jobs.kinds.mapping import made_folder
from avion_core.jobs.process import find_living
from avion_core.store import journal
from avion_core.store.database import reading
from avion_core.store.jobs import find_job
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.insight.alignment import (
    MapView,
    OfProject,
    embed_map,
    get_map,
    image_counts,
    list_maps,
    map_settings,
    read_map,
    start_map,
    stop_map,
)
from avion_core.usecases.installation.home import Home
from avion_core.usecases.people import accounts
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import read_splits
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import get_run
from tests import tiny_studio
from tests.acting import by
from tests.jobs_here import do_jobs_here

TSNE = map_settings(method="tsne")
WORKER = (sys.executable, tiny_studio.__file__)
SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Home:
    """A home with one finished base-to-novel run: beach and forest are base, golf course and river are novel."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AVION_DATABASE_URL", raising=False)
        for owner, attribute, stand_in in tiny_studio.seams():
            patch.setattr(owner, attribute, stand_in)
        home = Home(folder / "home", ALONE)
        images = tiny_studio.make_images(folder / "images", classes=tiny_studio.FOUR_CLASSES)
        project = create_project(home, "scenes", images, defaults=tiny_studio.DEFAULTS)
        texts = tiny_studio.make_descriptions(folder / "texts.json", tiny_studio.FOUR_CLASSES)
        import_descriptions(home, project.id, texts)
        run = create_run(home, project.id, overrides={"protocol.name": "base-to-novel"}, name="finished")
        run_here(home, run, threading.Event())
    return home


@pytest.fixture
def home(trained, tmp_path, monkeypatch, tiny_towers) -> Iterator[Home]:
    shutil.copytree(trained.path, tmp_path / "home")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(local, "WORKER", WORKER)
    yield Home(tmp_path / "home", ALONE)
    for child in local._children.values():
        child.wait(PATIENCE_SECONDS)


def wait_until(home: Home, key: str, done: Callable[[MapView], bool]) -> MapView:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = get_map(home, "latest", key)
        if done(found):
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def test_what_is_on_a_map(home):
    found = embed_map(home, "latest", TSNE)
    points, splits = found.points, read_splits(home, get_run(home, "latest").project_id)
    assert points["kind"].value_counts().to_dict() == {"description": 16, "image": 8, "prototype": 4}
    assert not set(points["id"]) & set(splits.test)
    assert points.groupby("class_key")["set"].first().to_dict() == {
        "beach": "base",
        "forest": "base",
        "golfcourse": "novel",
        "river": "novel",
    }
    texts = points[points["kind"] == "description"].set_index("class_key")
    assert texts.loc[["beach", "forest"], "kept"].notna().all()
    assert texts.loc["golfcourse", "kept"].isna().all()  # the run never judged a novel class's descriptions
    assert (points[points["kind"] == "image"].groupby("part").size() == [4, 4]).all()  # no shots of a novel class
    assert found.counts == {"train": (4, 4), "validation": (4, 4), "pool": (0, 8), "test": (0, 16)}
    assert found.statement == (
        "On the map: all 4 training shots, all 4 validation images, all 16 descriptions, all 4 prototypes. "
        "Not on the map: 8 other labelled images, 16 sealed test images."
    )
    assert get_run(home, "latest").looks == 0
    assert image_counts(home, "latest") == {"train": 4, "validation": 4, "pool": 8, "test": 16}


def test_what_is_sampled_is_said_and_shots_and_validation_come_first(home):
    parts = ("train", "validation", "pool", "test")
    settings = map_settings(method="tsne", kinds=("image",), parts=parts, most_images=12)
    found = embed_map(by("Ada", home), "latest", settings)
    shown = found.points["part"].value_counts()
    assert (shown["train"], shown["validation"]) == (4, 4)
    assert sum(got for got, _ in found.counts.values()) == len(found.points) == 12
    assert "Sampled: drawn at random with seed 0, 12 images at most." in found.statement
    assert get_run(home, "latest").looks == 1
    with reading(home.engine) as session:
        entry = journal.entries(session, get_run(home, "latest").project_id)[0]
    assert (entry.who, entry.sentence) == ("Ada", "Opened the sealed test set on a map of the run finished.")


def test_a_map_is_laid_out_once_and_what_the_student_sees_is_embedded_once(home, monkeypatch):
    first = embed_map(home, "latest", TSNE)

    def never(*_args: object, **_more: object) -> None:
        raise AssertionError("laid out again")

    monkeypatch.setattr("avion_core.protocols.run_map.alignment_map", never)
    monkeypatch.setattr("avion_core.backbones.prompted.PromptedStudent.encode_image", never)
    again = embed_map(home, "latest", TSNE)
    pd.testing.assert_frame_equal(again.points, first.points)
    with pytest.raises(AssertionError, match="laid out again"):
        embed_map(home, "latest", map_settings(method="tsne", seed=1))


def test_a_process_computes_the_map_and_what_it_was_can_be_read_by_another_server(home):
    key = start_map(home, "latest", TSNE)
    assert start_map(home, "latest", map_settings(method="tsne", min_dist=0.7)) == key  # the same map: one job
    with pytest.raises(NotFoundError, match=r"map does not exist: \w+\. Wait until it is computed"):
        read_map(home, "latest", key)
    wait_until(home, key, lambda found: found.state == "finished")
    other_server = Home(home.path, ALONE)
    (found,) = list_maps(other_server, "latest")
    assert (found.key, found.settings.method, found.shows_test) == (key, "tsne", False)
    pd.testing.assert_frame_equal(read_map(other_server, "latest", key).points, embed_map(home, "latest", TSNE).points)


def test_a_map_of_what_the_run_was_before_is_not_shown(home, monkeypatch):
    do_jobs_here(monkeypatch)
    key = start_map(home, "latest", TSNE)
    assert not read_map(home, "latest", key).points.empty
    adapter = get_run(home, "latest").folder / "adapter.safetensors"
    adapter.write_bytes(adapter.read_bytes() + b"\0")  # trained further
    assert list_maps(home, "latest") == []
    with pytest.raises(NotFoundError, match=rf"^There is no such map: {key}\. Compute it again\."):
        read_map(home, "latest", key)


def test_a_map_can_be_stopped(home, monkeypatch):
    monkeypatch.setattr(local, "WORKER", SLEEPER)
    key = start_map(home, "latest", TSNE)
    with reading(home.engine) as session:
        process = local.process_of(find_job(session, get_map(home, "latest", key).job))
    assert process is not None
    assert find_living(process) is not None
    assert get_map(home, "latest", key).state == "running"
    stop_map(home, "latest", key)
    assert find_living(process) is None
    assert list_maps(home, "latest") == []


def test_a_reviewer_stops_no_map_of_somebody_else(home, monkeypatch):
    monkeypatch.setattr(local, "WORKER", SLEEPER)
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    for name, role in (("Ana", "admin"), ("Dee", "adjudicator"), ("Ben", "reviewer"), ("Cyd", "reviewer")):
        accounts.add_account(home, name, "nine harbours at dusk", role)
    key = start_map(by("Ben", home), "latest", TSNE)
    assert get_map(home, "latest", key).asked_by == "Ben"
    with pytest.raises(RightsError, match="As reviewer you may not"):
        stop_map(by("Cyd", home), "latest", key)
    assert get_map(home, "latest", key).state == "running"
    stop_map(by("Ben", home), "latest", key)
    stop_map(by("Dee", home), "latest", start_map(by("Ben", home), "latest", TSNE))
    assert list_maps(home, "latest") == []


def test_a_process_that_dies_is_a_sentence_and_the_next_start_is_a_new_one(home, monkeypatch):
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"))
    key = start_map(home, "latest", TSNE)
    lost = wait_until(home, key, lambda found: found.state == "failed")
    assert lost.error.startswith("Its process ended before the work could begin (SIGKILL")
    monkeypatch.setattr(local, "WORKER", SLEEPER)
    assert start_map(home, "latest", TSNE) == key
    assert get_map(home, "latest", key).state == "running"
    stop_map(home, "latest", key)


def test_what_went_wrong_in_the_process_is_a_sentence(home, monkeypatch):
    do_jobs_here(monkeypatch)
    key = start_map(home, "latest", map_settings(method="tsne", kinds=("prototype",)))
    failed = get_map(home, "latest", key)
    assert failed.state == "failed"
    assert failed.error == "There are too few points for a map: 4. Choose 5 items or more."


def test_an_unfinished_run_has_no_map(home):
    run = create_run(home, "scenes")
    with pytest.raises(TrainingError, match="has no trained student to show: queued"):
        start_map(home, run, TSNE)


def test_a_project_without_a_run_has_the_teachers_map(home, monkeypatch):
    """Novel classes of a base-to-novel run were not judged by it; of a project as it stands all are."""
    project = get_run(home, "latest").project_id
    of = OfProject(project)
    found = embed_map(home, of, TSNE)
    points, splits = found.points, read_splits(home, project)
    assert {name for name in points if name.startswith("x_")} == {"x_teacher"}
    assert points["kind"].value_counts().to_dict() == {"description": 16, "image": 12, "prototype": 4}
    assert points.loc[points["kind"] == "description", "kept"].notna().all()
    assert not set(points["id"]) & set(splits.test)
    assert image_counts(home, of) == {"train": 8, "validation": 4, "pool": 4}
    assert list_maps(home, "latest") == []  # it is the project's, not the run's
    with pytest.raises(DataError, match=r"^A project's own map does not show the sealed test set"):
        embed_map(home, of, map_settings(method="tsne", parts=("train", "test")))

    do_jobs_here(monkeypatch)
    key = start_map(home, of, TSNE)
    (view,) = list_maps(home, of)
    assert (view.state, view.older, view.error) == ("finished", False, "")
    pd.testing.assert_frame_equal(read_map(home, of, key).points, points)


def test_a_projects_map_is_made_of_what_was_there_when_it_was_asked_for_and_says_what_is_older(home, monkeypatch):
    project = get_run(home, "latest").project_id
    of = OfProject(project)
    texts = current_descriptions(home, project)["description_id"].tolist()
    with monkeypatch.context() as patch:
        patch.setattr(local, "WORKER", SLEEPER)
        key = start_map(home, of, TSNE)
        record_verdict(home, project, texts[0], "reject")
        assert [(view.key, view.state, view.older) for view in list_maps(home, of)] == [(key, "running", True)]
        frozen = pd.read_parquet(made_folder(home.project_folder(project)) / key / "inputs" / "descriptions.parquet")
        assert set(frozen["verdict"]) == {"undecided"}
        stop_map(home, of, key)
    do_jobs_here(monkeypatch)
    second = start_map(home, of, TSNE)
    assert second != key
    record_verdict(home, project, texts[1], "reject")
    (view,) = list_maps(home, of)
    assert (view.key, view.older) == (second, True)
    kept = read_map(home, of, second).points.set_index("id")["kept"]
    assert not kept[texts[0]]
    stop_map(home, of, second)
    assert list_maps(home, of) == []

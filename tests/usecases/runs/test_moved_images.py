"""Where images lie is the project's: runs evaluate, resume, map and predict wherever the images are now."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from avion_core import bundled
from avion_core.actor import ALONE
from avion_core.jobs.inputs import run_inputs
from avion_core.maps.settings import map_settings
from avion_core.presets import PRESETS
from avion_core.usecases.insight.alignment import embed_map
from avion_core.usecases.insight.evaluation import evaluate_run, pictures
from avion_core.usecases.insight.image_search import search
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project, open_demo
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import get_project, read_manifest
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import queue_again, run_here
from avion_core.usecases.runs.views import get_run
from avion_core.usecases.transfer.packs import pack_project, unpack_project
from avion_core.usecases.transfer.relink import look_at_root, relink
from tests import tiny_studio

pytestmark = pytest.mark.usefixtures("tiny_towers")


class StopAtOnce:
    """A listener that asks for a stop at the first measured step."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def event(self, event: object) -> None:
        if type(event).__name__ == "Metrics":
            self.stop.set()

    def progress(self, done: int, total: int, what: str) -> None: ...


def stopped_run(home: Home, project: str) -> str:
    """A run that was stopped after a step, as an earlier version left it: with the image root in its inputs."""
    run, listener = create_run(home, project), StopAtOnce()
    assert run_here(home, run, listener.stop, listener).state == "stopped"
    facts_file = home.run_folder(run) / "inputs" / "project.json"
    facts = json.loads(facts_file.read_text())
    assert "image_root" not in facts
    facts_file.write_text(json.dumps(facts | {"image_root": str(get_project(home, project).image_root)}))
    return run


def assert_it_goes_on(home: Home, run: str) -> None:
    """The stopped run resumes to its end, is measured on pixels, mapped, searched and shown."""
    forget_features(home)
    queue_again(home, run, here=True)
    assert run_here(home, run, threading.Event()).state == "finished"
    result = evaluate_run(home, run)
    assert len(result.predictions) > 0
    root = get_project(home, get_run(home, run).project_id).image_root
    for path in pictures(home, run, result.predictions["image_id"].unique().tolist()):
        assert path.is_file()
        assert path.is_relative_to(root)
    points = embed_map(home, run, map_settings(method="tsne", neighbours=3)).points.query("kind == 'image'")
    assert all((root / path).is_file() for path in points["path"])
    assert all(
        Path(path).is_file() for path in search(home, get_run(home, run).project_id, "a beach", run).table["path"]
    )


def forget_features(home: Home) -> None:
    shutil.rmtree(home.features.folder, ignore_errors=True)
    del home._folder.features


@pytest.fixture
def drive(images, tmp_path) -> Path:
    return Path(shutil.copytree(images, tmp_path / "drive"))


@pytest.fixture
def stopped(home, drive, tmp_path) -> str:
    project = create_project(home, "scenes", drive, defaults=tiny_studio.DEFAULTS)
    import_descriptions(home, project.id, tiny_studio.make_descriptions(tmp_path / "texts.json"))
    return stopped_run(home, project.id)


def relinked(drive: Path) -> None:
    drive.rename(drive.with_name("elsewhere"))


def relinked_under_other_paths(drive: Path) -> None:
    (drive / "beach").rename(drive / "coast")
    drive.rename(drive.with_name("elsewhere"))


@pytest.mark.parametrize("move", [relinked, relinked_under_other_paths])
def test_a_run_goes_on_after_its_images_were_relinked(home, stopped, drive, move: Callable[[Path], None]) -> None:
    frozen = {file.name: file.read_bytes() for file in (home.run_folder(stopped) / "inputs").iterdir()}
    move(drive)
    relink(home, "scenes", drive.with_name("elsewhere"))
    assert_it_goes_on(home, stopped)
    assert frozen == {file.name: file.read_bytes() for file in (home.run_folder(stopped) / "inputs").iterdir()}


def test_a_map_made_before_shows_pictures_where_they_are_now(home, described, images, tmp_path) -> None:
    drive = Path(shutil.copytree(images, tmp_path / "drive"))
    relink(home, described.id, drive)
    run = create_run(home, described.id)
    run_here(home, run, threading.Event())
    settings = map_settings(method="tsne", neighbours=3)
    before = embed_map(home, run, settings)
    relinked_under_other_paths(drive)
    relink(home, described.id, drive.with_name("elsewhere"))
    after = embed_map(home, run, settings)
    assert after.folder == before.folder  # the same map: what it shows goes by content
    shown = after.points.query("kind == 'image'")["path"]
    assert any(path.startswith("coast/") for path in shown)
    assert all((drive.with_name("elsewhere") / path).is_file() for path in shown)


def test_a_packed_run_goes_on_in_another_home(home, stopped, drive, tmp_path) -> None:
    with_images = pack_project(home, "scenes", tmp_path / "with.avion", images=True).path
    without = pack_project(home, "scenes", tmp_path / "without.avion").path
    drive.rename(tmp_path / "elsewhere")
    for file, elsewhere in ((with_images, None), (without, tmp_path / "elsewhere")):
        other = Home(tmp_path / file.stem, ALONE)
        project = unpack_project(other, file)
        if elsewhere is not None:
            relink(other, project.id, elsewhere)
        assert_it_goes_on(other, stopped)


def make_demo(folder: Path) -> Path:
    """A demo of a package, as open_demo reads it, with images of this test's own."""
    images = tiny_studio.make_images(folder / "ucmerced" / "images")
    labels = [f"{file.relative_to(images)},{file.parent.name}" for file in sorted(images.rglob("*.png"))]
    (folder / "ucmerced" / "labels.csv").write_text("\n".join(["path,label", *labels]), encoding="utf-8")
    about = {
        "name": "ucmerced-demo",
        "image_root": "images",
        "labels": "labels.csv",
        "modality": "optical",
        "classes": {name: name for name in tiny_studio.CLASSES},
        "defaults": {"preset": "tiny"},
        **tiny_studio.TINY,
    }
    (folder / "ucmerced" / "project.json").write_text(json.dumps(about), encoding="utf-8")
    lines = [
        json.dumps({"class_key": name, "text": text.format(name), "writer": "w"})
        for name in tiny_studio.CLASSES
        for text in tiny_studio.TEXTS
    ]
    (folder / "ucmerced" / "descriptions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_a_demo_s_run_goes_on_after_the_package_moved(home, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(PRESETS, "tiny", tiny_studio.DEFAULTS)
    old, new = make_demo(tmp_path / "old" / "demo"), tmp_path / "new" / "demo"
    monkeypatch.setattr(bundled, "demo_folder", lambda: old)
    project = open_demo(home)
    run = stopped_run(home, project.id)
    new.parent.mkdir()
    old.rename(new)
    monkeypatch.setattr(bundled, "demo_folder", lambda: new)
    assert get_project(home, project.id).image_root == new / "ucmerced" / "images"
    assert not look_at_root(home, project.id).lacking
    assert_it_goes_on(home, run)
    assert open_demo(home).id == project.id

    # Where somebody keeps the demo's images elsewhere, that is where they are.
    own = Path(shutil.copytree(new / "ucmerced" / "images", tmp_path / "own"))
    relink(home, project.id, own)
    assert open_demo(home).image_root == own
    ids = read_manifest(home, project.id)["image_id"].tolist()
    assert run_inputs(home, run).images(ids[:1]).files[0].is_relative_to(own)


def test_without_its_package_a_demo_s_images_are_missing_where_they_were(home, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(PRESETS, "tiny", tiny_studio.DEFAULTS)
    old = make_demo(tmp_path / "old" / "demo")
    monkeypatch.setattr(bundled, "demo_folder", lambda: old)
    project = open_demo(home)
    monkeypatch.undo()
    old.rename(tmp_path / "gone")
    monkeypatch.setattr(bundled, "demo_folder", lambda: tmp_path / "empty")
    assert get_project(home, project.id).image_root == old / "ucmerced" / "images"
    assert look_at_root(home, project.id).moved

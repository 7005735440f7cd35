from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from avion_core.actor import ALONE, Actor
from avion_core.backbones import load
from avion_core.backbones.catalog import is_given
from avion_core.store.home import Home
from avion_core.usecases.curation.deciding import record_verdict
from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.transfer.capsule.facts import LISTING
from avion_core.usecases.transfer.capsule.making import make_capsule
from tests import tiny_studio

VERA = Actor("Vera Müller", "reviewer")


@dataclass(frozen=True)
class Studio:
    """A home with the described project "scenes", and its runs by what they are."""

    home: Home
    runs: dict[str, str]
    folder: Path


def weights_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let each tiny model have a weights file in a folder; its towers are what they are."""
    for owner, attribute, stand_in in tiny_studio.seams():
        patch.setattr(owner, attribute, stand_in)
    given = load.WeightStore.path

    def found(store: load.WeightStore, name: str) -> Path | None:
        return given(store, name) if is_given(name) else path if (path := folder / name).is_file() else None

    patch.setattr(load.WeightStore, "path", found)


@pytest.fixture(scope="session")
def made(images, tmp_path_factory) -> Studio:
    """Two runs of AVION over seeds and one of class means, all measured; texts were judged before."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "weights").mkdir()
    for name in tiny_studio.TINY.values():
        (folder / "weights" / name).write_bytes(f"weights of {name}".encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AVION_DATABASE_URL", raising=False)
        weights_in(folder / "weights", patch)
        home = Home(folder / "home", ALONE)
        project = create_project(home, "scenes", images, defaults=tiny_studio.DEFAULTS)
        import_descriptions(home, project.id, tiny_studio.make_descriptions(folder / "texts.json"))
        texts = current_descriptions(home, project.id)["description_id"].tolist()
        for reviewer, text, verdict in ((VERA, 0, "accept"), (VERA, 1, "reject"), (home.actor, 0, "accept")):
            record_verdict(home.acting_as(reviewer), project.id, texts[text], verdict, reason=f"text {text}")
        runs: dict[str, str] = {}
        for what, settings in (("one", {}), ("two", {"data.seed": 2}), ("mean", {"method": "class_mean"})):
            runs[what] = create_run(home, project.id, overrides=settings, here=True)
            run_here(home, runs[what], threading.Event())
            evaluate_run(home, runs[what])
    return Studio(home, runs, folder)


@pytest.fixture
def published(made, monkeypatch) -> Studio:
    """The studio of `made`, with its weights."""
    weights_in(made.folder / "weights", monkeypatch)
    return made


@pytest.fixture(scope="session")
def sound(made, tmp_path_factory) -> Path:
    """A capsule of a trained run and of class means."""
    with pytest.MonkeyPatch.context() as patch:
        weights_in(made.folder / "weights", patch)
        path = tmp_path_factory.mktemp("sound") / "paper.capsule"
        return make_capsule(made.home, path, [made.runs["one"], made.runs["mean"]]).path


@pytest.fixture
def weights(published, tmp_path, monkeypatch) -> Path:
    """This machine's weights: the same files as the runs had."""
    folder = Path(shutil.copytree(published.folder / "weights", tmp_path / "weights"))
    weights_in(folder, monkeypatch)
    return folder


@pytest.fixture
def elsewhere(tmp_path, weights, monkeypatch) -> Home:
    """A home of somebody else, with the weights and nothing more."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    return Home(tmp_path / "elsewhere", ALONE)


def members_of(capsule: Path) -> dict[str, bytes]:
    with ZipFile(capsule) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def altered(
    capsule: Path, change: Callable[[dict[str, bytes]], object], *, relisted: bool = True, **said: object
) -> Path:
    """A copy of a capsule with its members run through `change`.

    Args:
        relisted: its listing is made to fit them, as a forger would.
        said: what its listing shall say besides.
    """
    members = members_of(capsule)
    change(members)
    if relisted:
        about = json.loads(members.pop(LISTING)) | said
        about["files"] = {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in members.items()
        }
        members[LISTING] = json.dumps(about).encode()
    path = capsule.parent / "altered.capsule"
    with ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path

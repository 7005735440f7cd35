from __future__ import annotations

from pathlib import Path

import pytest

from avion_core.actor import ALONE
from avion_core.usecases.installation.home import Home
from avion_core.usecases.models.catalog import _open
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import ProjectSummary
from tests import tiny_studio


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    return Home(tmp_path / "home", ALONE)


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    return tiny_studio.make_images(tmp_path_factory.mktemp("images") / "scenes")


@pytest.fixture
def tiny_towers(monkeypatch) -> None:
    _open.cache_clear()
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)


@pytest.fixture
def project(home, images) -> ProjectSummary:
    return create_project(home, "scenes", images, defaults=tiny_studio.DEFAULTS)


@pytest.fixture
def four(home, tmp_path) -> ProjectSummary:
    """A described project of four classes, as base-to-novel needs them: beach and forest are base."""
    from avion_core.usecases.projects.descriptions import import_descriptions
    from avion_core.usecases.projects.summaries import get_project

    images = tiny_studio.make_images(tmp_path / "four", classes=tiny_studio.FOUR_CLASSES)
    made = create_project(home, "four", images, defaults=tiny_studio.DEFAULTS)
    texts = tiny_studio.make_descriptions(tmp_path / "four.json", tiny_studio.FOUR_CLASSES)
    import_descriptions(home, made.id, texts)
    return get_project(home, made.id)


@pytest.fixture
def described(home, project, tmp_path) -> ProjectSummary:
    from avion_core.usecases.projects.descriptions import import_descriptions
    from avion_core.usecases.projects.summaries import get_project

    import_descriptions(home, project.id, tiny_studio.make_descriptions(tmp_path / "texts.json"))
    return get_project(home, project.id)

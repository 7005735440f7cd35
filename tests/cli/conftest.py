from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from avion_core.actor import ALONE
from avion_core.cli import app
from avion_core.usecases.installation.home import Home
from avion_core.usecases.models.catalog import _open
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from tests import tiny_studio


@pytest.fixture
def images(tmp_path) -> Path:
    return tiny_studio.make_images(tmp_path / "scenes")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty home that commands find by AVION_HOME, with tiny towers behind the catalog's names."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    monkeypatch.setenv("AVION_HOME", str(tmp_path / "home"))
    _open.cache_clear()
    for owner, attribute, stand_in in tiny_studio.seams():
        monkeypatch.setattr(owner, attribute, stand_in)
    return tmp_path / "home"


@pytest.fixture
def scenes(folder, images, tmp_path) -> Home:
    """The home with the described project "scenes"."""
    home = Home(folder, ALONE)
    create_project(home, "scenes", images, defaults=tiny_studio.DEFAULTS)
    import_descriptions(home, "scenes", tiny_studio.make_descriptions(tmp_path / "texts.json"))
    return home


@pytest.fixture
def avion(folder) -> Callable[..., Result]:
    """Call a command as a person does."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def answer(avion) -> Callable[..., dict[str, Any]]:
    """Call a command with --json: it succeeds, and standard output is one object."""

    def call(*words: Any) -> dict[str, Any]:
        result = avion(*words, "--json")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    return call

"""Where the bundled demo lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from avion_core import bundled
from avion_core.bundled import demo_folder
from avion_core.errors import NotFoundError


def test_demo_folder_is_the_checkouts_own() -> None:
    assert demo_folder() == Path(__file__).parents[1] / "demo"


def test_demo_folder_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "__file__", str(tmp_path / "site" / "avion_core" / "bundled.py"))
    monkeypatch.setattr(bundled.sys, "prefix", str(tmp_path))
    with pytest.raises(NotFoundError, match="The bundled demo was not found"):
        demo_folder()
    installed = tmp_path / "share" / "avion" / "demo"
    installed.mkdir(parents=True)
    assert demo_folder() == installed

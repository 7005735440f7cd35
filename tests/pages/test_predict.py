"""Predict over a really trained student."""

from __future__ import annotations

from avion_core.studio.home import Home
from avion_core.studio.projects import get_project
from tests.app.tiny_home import CLASSES, NAME
from tests.pages.conftest import Open, settle


def test_dropped_images_are_classified(home: Home, open_page: Open) -> None:
    app = open_page("predict")
    folder = get_project(home, NAME).image_root
    for name in CLASSES:
        picture = sorted((folder / name).iterdir())[0]
        app.file_uploader[0].upload(f"../{picture.name}", picture.read_bytes())
    app = settle(app.run())
    table = app.dataframe[0].value
    assert len(table) == len(CLASSES)
    assert set(table["class_key"]) <= set(CLASSES)
    assert table["probability"].between(0, 1).all()


def test_a_broken_upload_is_a_sentence(home: Home, open_page: Open) -> None:
    app = open_page("predict")
    app.file_uploader[0].upload("cut.png", b"\x89PNG\r\n\x1a\n")
    app = settle(app.run())
    assert len(app.error) == 1

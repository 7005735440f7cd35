"""Every empty state as a person meets it: what is missing, in words, and a button in sight that does the next thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from avion_core.actor import ALONE
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import get_project
from tests.app.tiny_home import CLASSES, NAME, PAIR
from tests.browser.conftest import serving
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)


def meets(page: Page, name: str, sentence: str, button: str, **query: str) -> None:
    """The page says so, and its button can be seen and pressed."""
    page.open(name, **query)
    page.until(lambda: sentence in page.text(), f"{name or 'projects'}: {sentence}")
    assert page.until(lambda: page.button(button).is_displayed() and page.button(button).is_enabled(), button)
    assert not page.all('[data-testid="stException"]'), name


def test_without_a_project(chromium: WebDriver, tmp_path: Path) -> None:
    with serving(Home(tmp_path / "home", ALONE), tmp_path / "log.txt") as address:
        page = Page(chromium, address)
        page.look("light", 1280, 1000)
        meets(page, "", "Try the whole workflow in a few minutes", "Open the demo")
        for name in ("images", "review", "launch", "predict"):
            meets(page, name, "No project yet", "Open the demo")
        page.click("Use my own images")
        page.until(lambda: page.all("h1") and page.all("h1")[0].text == "Projects", "where a project is made")


def test_with_images_alone(page: Page, home: Home) -> None:
    images = get_project(home, NAME).image_root
    project = create_project(home, "images alone", images, class_folders=False, **PAIR).id
    meets(page, "classes", "No class yet", "Add the class", project=project)
    meets(page, "generate", "No classes yet", "Add classes", project=project)
    meets(page, "label", "No class yet", "Add classes", project=project)
    page.click("Add classes")
    page.until(lambda: page.all("h1") and page.all("h1")[0].text == "Classes", "where classes are made")

    for key in CLASSES:
        add_class(home, project, key)
    import_descriptions(home, project, home.path.parent / "texts.jsonl")
    for name in ("review", "decisions"):
        meets(page, name, "Labels are missing", "Label images", project=project)


def test_with_labels_alone(page: Page, home: Home) -> None:
    project = create_project(home, "labels alone", get_project(home, NAME).image_root, **PAIR).id
    for name in ("review", "sheet", "decisions"):
        meets(page, name, "No descriptions yet", "Import descriptions", project=project)
    meets(page, "label", "Every image has a label", "Look at the images", project=project)
    meets(page, "runs", "No training yet", "Train a student", project=project)
    meets(page, "alignment", "No map yet", "Compute the map", project=project)  # the teacher's: it needs no training
    for name in ("evaluation", "export"):
        meets(page, name, "No finished training yet", "Train a student", project=project)
    page.click("Train a student")
    page.until(lambda: page.all("h1") and page.all("h1")[0].text == "Launch", "where a training begins")

"""The label page's keys in Chromium: as many labels as presses, however fast; undo, search, a whole page at once."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select

from avion_core.store.database import reading
from avion_core.store.tables import Label
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.labels import unlabelled
from avion_core.usecases.projects.summaries import ProjectSummary, get_project, read_manifest
from tests.app.tiny_home import CLASSES, NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def bare(home: Home) -> ProjectSummary:
    images = get_project(home, NAME).image_root
    pair = {"teacher": "demo-teacher", "student": "demo-student"}
    project = create_project(home, f"bare {time.monotonic_ns()}", images, class_folders=False, **pair)
    for name in CLASSES:
        add_class(home, project.id, name)
    return project


def labels(home: Home, project: ProjectSummary) -> dict[str, str]:
    manifest = read_manifest(home, project.id)
    return {row.image_id: row.label for row in manifest.itertuples() if row.label}


def label_rows(home: Home, project: ProjectSummary) -> int:
    """How many labels were written down, those that were replaced among them."""
    with reading(home.engine) as session:
        return len(session.scalars(select(Label.id).where(Label.project_id == project.id)).all())


def settled(page: Page) -> None:
    page.until(lambda: page.card("pending") == "0", "the server to take every label")


@pytest.mark.parametrize("milliseconds", [300, 100, 30])
def test_twenty_keys_are_twenty_labels(milliseconds: int, page: Page, home: Home, bare: ProjectSummary) -> None:
    label_twenty(page, home, bare, milliseconds)


def test_keys_every_30_ms_over_a_slow_server(slow_page: Page, home: Home, bare: ProjectSummary) -> None:
    label_twenty(slow_page, home, bare, 30)


def label_twenty(page: Page, home: Home, project: ProjectSummary, milliseconds: int) -> None:
    page.open("label", project=project.id)
    page.until(lambda: page.card("item"), "the grid")
    pressed = {}
    for number in range(20):  # over the end of the first page of pictures
        image = page.until(lambda: page.card("item"), "an image to label")
        assert image not in pressed
        pressed[image] = CLASSES[number % 3]
        page.press("123"[number % 3])
        time.sleep(milliseconds / 1000)
    settled(page)
    assert labels(home, project) == pressed
    assert label_rows(home, project) == 20


@pytest.mark.parametrize("leave", ["another page", "reload"])
def test_no_label_is_lost_when_one_leaves_before_the_server_is_done(
    leave: str, slow_page: Page, home: Home, bare: ProjectSummary
) -> None:
    page = slow_page
    page.open("label", project=bare.id)
    page.until(lambda: page.card("item"), "the grid")
    pressed = {}
    for number in range(10):
        pressed[page.card("item")] = CLASSES[number % 3]
        page.press("123"[number % 3])
        time.sleep(0.03)
    if leave == "reload":
        page.driver.refresh()
    else:
        page.go("Classes")
    assert len(labels(home, bare)) < 10
    page.until(lambda: len(labels(home, bare)) >= 10, "the labels that waited")
    page.settle()
    assert labels(home, bare) == pressed
    assert label_rows(home, bare) == 10


def test_confirm_undo_skip_search_and_a_whole_page(page: Page, home: Home, bare: ProjectSummary, picture) -> None:
    page.open("label", project=bare.id)
    first = page.until(lambda: page.card("item"), "the grid")
    picture("label")
    page.press("s")
    second = page.until(lambda: page.card("item") != first and page.card("item"), "the next image")
    page.press("a")
    page.until(lambda: second in labels(home, bare), "the confirmed guess")
    page.press("u")
    page.until(lambda: labels(home, bare) == {}, "the undo")
    settled(page)
    assert page.card("item") == second

    page.press("/")
    page.driver.switch_to.active_element.send_keys("sea\n")  # letters are text here, not commands
    page.until(lambda: labels(home, bare) == {second: "SeaLake"}, "the class that was found by name")
    settled(page)

    page.press("ArrowLeft")
    page.until(lambda: page.card("item") == second, "the image before")
    page.press("Backspace")
    page.until(lambda: labels(home, bare) == {}, "the label taken off")
    settled(page)

    shadow("[data-action=page]", page)
    assert "Label 18 images with the teacher's guess?" in page.card(".sure span")
    shadow("[data-action=sure]", page)
    page.until(lambda: len(labels(home, bare)) == 18, "the labels of the page")
    settled(page)
    assert len(unlabelled(home, bare.id)) == get_project(home, bare.id).images - 18
    page.press("u")
    page.until(lambda: labels(home, bare) == {}, "all of them taken back at once")


def shadow(selector: str, page: Page) -> None:
    """Press a button inside the grid."""
    script = """
        for (const host of document.querySelectorAll('*')) {
          const button = host.shadowRoot && host.shadowRoot.querySelector(arguments[0])
          if (button) return button.click()
        }"""
    page.driver.execute_script(script, selector)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1920)])
def test_data_pages_fit_their_window(scheme: str, width: int, page: Page, home: Home, bare: ProjectSummary) -> None:
    page.look(scheme, width, 1000)
    for name in ("label", "images", "classes", "projects"):
        page.open(name if name != "projects" else "", project=bare.id)
        overflow = "return document.querySelector('[data-testid=stMain]').scrollWidth > innerWidth"
        assert not page.driver.execute_script(overflow), name
        assert not page.all('[data-testid="stException"]'), name

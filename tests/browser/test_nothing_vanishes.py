"""Half-typed edits, launch settings and predictions outlast leaving a page and a refresh; addresses lead somewhere."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest

from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import edit_card
from avion_core.usecases.projects.summaries import get_project
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
DEFINITION = "[class*='_definition'] textarea"
EPOCHS = "[class*='distillation-epochs'] input"


def value(page: Page, selector: str) -> str:
    return page.until(lambda: page.all(selector), selector)[0].get_attribute("value") or ""


def first_card(home: Home) -> str:
    return get_project(home, NAME).classes[0].key


def test_a_half_typed_card_outlasts_another_page_and_a_refresh(page: Page, home: Home) -> None:
    edit_card(home, NAME, first_card(home), {"definition": ""})
    page.open("classes")
    page.type(DEFINITION, "Trees that are", into="the definition")
    page.go("Journal")  # without the form's button: the server has not heard of it
    page.until(lambda: urlsplit(page.driver.current_url).path == "/journal", "the journal")
    page.settle()
    page.go("Classes")
    page.until(lambda: value(page, DEFINITION) == "Trees that are", "what was typed")
    page.type(DEFINITION, " close", into="the definition")
    page.driver.refresh()
    page.settle()
    page.until(lambda: value(page, DEFINITION) == "Trees that are close", "what was typed, after a refresh")
    page.click("Save the card")
    page.until(lambda: get_project(home, NAME).classes[0].definition == "Trees that are close", "the saved card")
    page.settle()
    edit_card(home, NAME, first_card(home), {"definition": "A colleague's words."})
    page.driver.refresh()
    page.settle()
    page.until(lambda: value(page, DEFINITION) == "A colleague's words.", "what is saved, and no ghost of before")
    edit_card(home, NAME, first_card(home), {"definition": ""})


def test_launch_settings_outlast_another_page_and_a_refresh(page: Page) -> None:
    page.open("launch")
    field = page.until(lambda: page.all(EPOCHS), "the epochs")[0]
    field.send_keys("\ue009a\ue009")  # Ctrl + A
    field.send_keys("9\ue007")  # Enter
    page.settle()
    page.go("Runs")
    page.settle()
    page.go("Launch")
    page.until(lambda: value(page, EPOCHS) == "9", "the epochs that were chosen")
    page.settle()
    page.driver.refresh()
    page.settle()
    page.until(lambda: value(page, EPOCHS) == "9", "the epochs after a refresh")


def test_predictions_outlast_another_page_and_a_refresh(page: Page, home: Home) -> None:
    picture = sorted((get_project(home, NAME).image_root / "Forest").iterdir())[0]
    page.open("predict")
    page.until(lambda: page.all("input[type=file]"), "the uploader")[0].send_keys(str(picture))
    page.until(lambda: "Most probable classes" in page.text(), "the prediction")
    page.go("Journal")
    page.settle()
    page.go("Predict")
    page.until(lambda: "Most probable classes" in page.text(), "the prediction, on coming back")
    page.settle()
    page.driver.refresh()
    page.until(lambda: "1 picture chosen before" in page.text(), "the prediction, after a refresh")
    page.until(lambda: "Most probable classes" in page.text(), "its classes")


@pytest.mark.parametrize("address", ["projects", "reveiw"])
def test_an_address_that_is_no_page_leads_somewhere(address: str, page: Page) -> None:
    page.driver.get(f"{page.address}/{address}")
    page.settle()
    page.until(lambda: page.all("h1")[0].text == "Projects", "the page Projects")
    said = "not found" in page.text().lower()
    assert said == (address == "reveiw")


def click_link(page: Page, title: str) -> None:
    """By the mouse, as a person does: going back, Chromium passes over pages that a script alone left."""

    def click() -> bool:
        links = [one for one in page.all('[data-testid="stSidebarNavLink"]') if one.text.strip().endswith(title)]
        return bool(links) and links[0].click() is None

    page.until(click, f"the link {title}")


def test_back_needs_one_press(page: Page) -> None:
    page.open("journal")
    click_link(page, "Review")
    page.until(lambda: page.card("item"), "the review card")
    page.settle()
    click_link(page, "Classes")
    page.until(lambda: page.all(DEFINITION), "the class card")
    page.settle()
    for path in ("/review", "/journal"):
        page.driver.back()
        page.until(lambda path=path: urlsplit(page.driver.current_url).path == path, f"{path} by one press")
        page.settle()
        time.sleep(1)
        assert urlsplit(page.driver.current_url).path == path

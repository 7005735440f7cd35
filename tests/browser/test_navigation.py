"""The list of pages fits a small laptop's window, and views are reached from the page that they belong to."""

from __future__ import annotations

import pytest

from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)


def test_the_list_of_pages_fits_720_pixels(page: Page) -> None:
    page.look("light", 1280, 720)
    page.open("review", project=NAME)
    links = page.all('[data-testid="stSidebarNavLink"]')
    bottoms = [link.rect["y"] + link.rect["height"] for link in links]
    assert len(links) == 18
    assert max(bottoms) <= 720


@pytest.mark.parametrize(
    ("whole", "title", "view", "name"),
    [
        ("review", "Review", "Class sheet", "sheet"),
        ("generate", "Generate", "Writers", "writers"),
        ("journal", "Journal", "Agreement", "agreement"),
        ("evaluation", "Evaluation", "Confusion", "confusion"),
    ],
)
def test_a_view_is_one_click_from_its_page_and_back(whole: str, title: str, view: str, name: str, page: Page) -> None:
    page.open(whole, project=NAME)
    page.go(view)
    page.until(lambda: page.driver.title.startswith(f"{view} · "), f"the tab of {view}")
    assert f"/{name}?" in page.driver.current_url
    assert "project=" in page.driver.current_url
    page.go(title)
    page.until(lambda: page.driver.title.startswith(f"{title} · "), f"the tab of {title}")


def test_the_address_of_a_view_still_works(page: Page) -> None:
    page.open("agreement", project=NAME)
    assert page.all("h1")[0].text == "Agreement"

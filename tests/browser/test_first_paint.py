"""Nothing jumps while a page loads: the sum of layout shifts that a browser counts stays below what is called good."""

from __future__ import annotations

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from benchmarks.page_loads import WATCH, visit
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
GOOD, VISITS = 0.1, 4


@pytest.mark.parametrize("name", ["journal", "review", "decisions", "classes"])
def test_a_page_does_not_jump_while_it_loads(name: str, page: Page, chromium: WebDriver) -> None:
    page.open(name, project=NAME)  # the browser has the files after a first visit, the server its libraries
    watching = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    try:
        # On a busy machine a field's program can take longer than what waits for it: the calmest of some visits counts.
        seen = (visit(chromium, f"{page.address}/{name}?project={NAME}")["shift"] for _ in range(VISITS))
        least = next((shift for shift in seen if shift < GOOD), None)
    finally:
        chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watching)
    assert least is not None

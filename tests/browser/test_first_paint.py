"""The sidebar's place is kept from the first paint: what a page shows never moves aside when the sidebar comes.

How far things move in all is a matter of the machine's load too; `benchmarks/page_loads.py` measures that.
"""

from __future__ import annotations

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from benchmarks.page_loads import WATCH, visit
from tests.app.tiny_home import NAME
from tests.browser.page import Page

WIDE = 100
"""Pixels: less than half of the sidebar, more than a scroll bar."""
ASIDE = """
    window.aside = []
    window.shifts = 0
    new PerformanceObserver(list => list.getEntries().forEach(entry => {
      window.shifts += 1
      for (const { node, previousRect: before, currentRect: after } of entry.sources)
        if (before.width && after.width)
          window.aside.push([node?.dataset?.testid ?? node?.nodeName ?? '', after.x - before.x])
    })).observe({ type: 'layout-shift', buffered: true })
"""


@pytest.fixture
def watching(chromium: WebDriver):
    scripts = [
        chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        for source in (WATCH, ASIDE)
    ]
    yield
    for script in scripts:
        chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.mark.usefixtures("watching")
@pytest.mark.parametrize("name", ["journal", "review", "decisions", "classes"])
def test_nothing_moves_aside_while_a_page_loads(name: str, page: Page, chromium: WebDriver) -> None:
    visit(chromium, f"{page.address}/{name}?project={NAME}")
    moved = chromium.execute_script("return window.aside")
    assert [one for one in moved if one[0].startswith("stMain") and abs(one[1]) > WIDE] == []


@pytest.mark.usefixtures("watching")
def test_what_moves_aside_is_seen(page: Page, chromium: WebDriver) -> None:
    """Else the test above could not fail."""
    visit(chromium, f"{page.address}/journal?project={NAME}")
    chromium.execute_script("document.querySelector('[data-testid=stMain]').style.paddingLeft = '300px'")
    page.until(lambda: chromium.execute_script("return window.aside.some(([, by]) => by > 100)"), "the move")

"""What the browser has to say of each page: nothing, where the studio is the cause."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from app.main import PAGE_NAMES
from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
LISTEN = """
    window.said = []
    for (const kind of ['error', 'warn']) {
      const real = console[kind]
      console[kind] = (...words) => { window.said.push(`${kind}: ${words.map(String).join(' ')}`); real(...words) }
    }
    addEventListener('error', event => window.said.push(`error: ${event.message ?? event.target}`), true)
    addEventListener('unhandledrejection', event => window.said.push(`unhandled: ${event.reason}`))
"""


@pytest.fixture
def listening(chromium: WebDriver) -> Iterator[None]:
    """The browser keeps what is said on its console, from the first line of each document on."""
    script = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LISTEN})
    yield
    chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("name", PAGE_NAMES)
def test_the_console_stays_empty(name: str, page: Page, home: Home) -> None:
    finished = next(run.id for run in list_runs(home, NAME) if run.state == "finished")
    page.open("" if name == "projects" else name, run=finished)
    assert page.driver.execute_script("return window.said") == []

"""Generation in the real app: live progress, one class that fails and is asked again, and on to the review."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from avion_core.studio import writing
from avion_core.studio.home import Home
from tests.app.tiny_home import NAME
from tests.browser.page import Page
from tests.descriptions.writers.loopback import KEY, Loopback, Say, loopback, written


@pytest.fixture
def service() -> Iterator[Loopback]:
    """Slow enough to be watched; one class fails the first time."""

    def script(ask):
        time.sleep(2.0)
        return Say(status=400) if ask.name == "forest" and ask.nth == 1 else written(ask)

    with loopback(script) as server:
        yield server


def fill(page: Page, label: str, text: str) -> None:
    field = page.until(lambda: page.all(f'input[aria-label="{label}"]'), label)[0]
    field.send_keys("\ue009a\ue000", text, "\ue007")  # Ctrl + A, the text, Enter
    page.settle()


def test_generate_fail_retry_review(page: Page, home: Home, service: Loopback, picture: Callable[[str], None]) -> None:
    page.open("generate")
    fill(page, "Address", service.address)
    fill(page, "Per class", "4")
    page.until(lambda: "12 descriptions of 3 classes in 3 requests" in page.text(), "the plan")
    page.click("Have them written")
    page.until(lambda: "of 3 classes ·" in page.text(), "progress")
    page.until(lambda: writing.get_generation(home, NAME).state == "running", "a process at work")
    page.until(lambda: "3 of 3 classes · 8 descriptions" in page.text(), "its end, without a reload")
    assert KEY not in page.driver.page_source
    page.click("Ask again for 1 classes")
    page.until(lambda: "1 of 1 classes · 4 descriptions" in page.text(), "the class that had failed")
    picture("generate")
    page.click("Review these 4")
    page.until(lambda: page.card(".count").endswith("of 4"), "the four that came, in the review")
    assert "aerial view of forest" in page.card(".text").casefold()

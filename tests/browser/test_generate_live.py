"""Generation in the real app: live progress, one class that fails and is asked again, and on to the review."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.writing import generations
from tests.app.tiny_home import DEFAULTS, NAME, PAIR
from tests.browser.page import Page
from tests.descriptions.writers.loopback import KEY, Loopback, Say, loopback, written


@pytest.fixture
def project(home: Home, request: pytest.FixtureRequest) -> str:
    """A project of the test's own: what is written here stays out of other tests' sight."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    made = create_project(home, name, get_project(home, NAME).image_root, defaults=DEFAULTS, **PAIR)
    import_descriptions(home, made.id, home.path.parent / "texts.jsonl", writer="tests")
    return made.id


@pytest.fixture
def service() -> Iterator[Loopback]:
    """Slow enough to be watched; one class fails the first time."""

    def script(ask):
        time.sleep(2.0)
        return Say(status=400) if ask.name == "forest" and ask.nth == 1 else written(ask)

    with loopback(script) as server:
        yield server


def fill(page: Page, label: str, text: str) -> None:
    page.type(f'input[aria-label="{label}"]', "\ue009a\ue000", text, "\ue007", into=label)  # Ctrl + A, the text, Enter
    page.settle()


def test_generate_fail_retry_review(
    page: Page, home: Home, project: str, service: Loopback, picture: Callable[[str], None]
) -> None:
    page.open("generate", project=project)
    fill(page, "Address", service.address)
    fill(page, "Per class", "4")
    page.until(lambda: "12 descriptions of 3 classes in 3 requests" in page.text(), "the plan")
    page.click("Generate descriptions")
    page.until(lambda: "of 3 classes ·" in page.text(), "progress")
    page.until(lambda: generations.get_generation(home, project).state == "running", "a process at work")
    page.until(lambda: "3 of 3 classes · 8 descriptions" in page.text(), "its end, without a reload")
    assert KEY not in page.driver.page_source
    page.click("Retry 1 class")
    page.until(lambda: "1 of 1 classes · 4 descriptions" in page.text(), "the class that had failed")
    picture("generate")
    page.click("Review these 4")
    page.until(lambda: page.card(".count").endswith("of 4"), "the four that came, in the review")
    assert "aerial view of forest" in page.card(".text").casefold()


@pytest.fixture
def willing() -> Iterator[Loopback]:
    with loopback() as server:
        yield server


def test_from_a_confused_pair_to_contrasts_and_back(
    page: Page, project: str, willing: Loopback, picture: Callable[[str], None]
) -> None:
    """Click a cell, have both classes told apart by name, judge what came, and see what it changed."""
    page.open("confusion", project=project)
    chart = page.until(lambda: page.all(".js-plotly-plot"), "the matrix")[0]
    script = """
        const plot = arguments[0]._fullLayout, box = arguments[0].getBoundingClientRect()
        const [x, y] = [plot.xaxis, plot.yaxis]
        return [box.x + x._offset + x.c2p(2), box.y + y._offset + y.c2p(0)]"""
    left, top = page.driver.execute_script(script, chart)
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        place = (
            {"x": left, "y": top, "button": "left", "clickCount": 1} if kind != "mouseMoved" else {"x": left, "y": top}
        )
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, **place})
    page.until(lambda: "cell=Forest&cell=SeaLake" in page.driver.current_url, "the cell in the address")
    page.click("Ask for contrastive descriptions")
    page.until(lambda: "/generate" in page.driver.current_url, "the writers")
    page.settle()
    fill(page, "Address", willing.address)
    page.until(lambda: "10 descriptions of 2 classes in 2 requests" in page.text(), "the plan")
    page.click("Generate descriptions")
    page.until(lambda: "2 of 2 classes · 10 descriptions" in page.text(), "both classes")
    names = {ask.name: ask.data["distinguish_from"] for ask in willing.asks}
    assert names == {"forest": ["sea or lake"], "sea or lake": ["forest"]}
    page.click("See what they change")
    page.until(lambda: "10 texts, " in page.text(), "what they change")
    assert "cell=Forest&cell=SeaLake" in page.driver.current_url
    page.click("Review them")
    page.until(lambda: page.card(".count").endswith("of 10"), "the ten, in the review")
    page.press("x")
    page.until(lambda: page.card(".count").startswith("2 "), "the first judged")
    page.open("confusion", project=project, cell="Forest&cell=SeaLake")
    page.until(lambda: "1 rejected" in page.text(), "the verdict in the figures")
    picture("contrasts")
    page.driver.refresh()
    page.settle()
    page.until(lambda: "1 rejected" in page.text(), "the same after a refresh")

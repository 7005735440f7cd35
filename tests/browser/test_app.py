"""What only a browser can tell: keys, lasso, live curves, refresh, thumbnails, and that pages fit their window."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from avion_core.studio.candidates import read_candidates
from avion_core.studio.curation import history, record_verdict
from avion_core.studio.home import Home
from avion_core.studio.projects import get_project
from avion_core.studio.training import list_runs
from tests.app.tiny_home import CLASSES, NAME, TEXTS
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
Picture = Callable[[str], None]


@pytest.fixture
def undecided(home: Home) -> None:
    """Every description undecided again, whoever judged before."""
    project = get_project(home, NAME)
    for item in read_candidates(home, project.id).query("verdict != 'undecided'")["description_id"]:
        record_verdict(home, project.id, item, "undecide")


def decided(home: Home) -> dict[str, str]:
    table = read_candidates(home, get_project(home, NAME).id).query("verdict != 'undecided'")
    return dict(zip(table["description_id"], table["verdict"], strict=True))


def decisions(home: Home, item: str) -> int:
    return sum(entry.verdict in ("accept", "reject") for entry in history(home, NAME, item))


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("milliseconds", [300, 100, 30])
def test_twenty_keys_are_twenty_verdicts(milliseconds: int, page: Page, home: Home) -> None:
    page.open("review")
    page.until(lambda: page.card("item"), "the review card")
    before = {
        item: decisions(home, item) for item in read_candidates(home, get_project(home, NAME).id)["description_id"]
    }
    judged = []
    for number in range(20):
        judged.append(page.card("item"))
        page.press("ax"[number % 2])
        time.sleep(milliseconds / 1000)
    page.until(lambda: page.card("pending") == "0", "the server to take every decision")
    assert len(set(judged)) == 20
    assert decided(home) == {item: ("accepted", "rejected")[place % 2] for place, item in enumerate(judged)}
    assert {decisions(home, item) - before[item] for item in judged} == {1}


@pytest.mark.usefixtures("undecided")
def test_keys_edit_skip_undo_and_move(page: Page, home: Home) -> None:
    page.open("review")
    first = page.until(lambda: page.card("item"), "the review card")
    page.press("s")
    second = page.until(lambda: page.card("item") != first and page.card("item"), "the next text")
    page.press("ArrowLeft")
    page.until(lambda: page.card("item") == first, "the text before")
    page.press("ArrowRight")
    page.press("a")
    page.until(lambda: decided(home) == {second: "accepted"}, "the verdict")
    page.press("u")
    page.until(lambda: decided(home) == {}, "the verdict to be taken back")
    page.until(lambda: page.card("pending") == "0", "the server")
    assert page.card("item") == second

    page.press("e")
    page.driver.switch_to.active_element.send_keys(" A wide aerial view.")  # letters are text here, not commands
    page.driver.switch_to.active_element.send_keys("\ue009\ue007")  # Ctrl + Enter
    project = get_project(home, NAME).id
    texts = page.until(lambda: read_candidates(home, project).query("edited")["text"].tolist(), "the edit")
    assert texts[0].endswith(" A wide aerial view.")
    page.until(lambda: page.card("pending") == "0", "the server")
    assert (page.card("item"), decided(home)) == (second, {})


@pytest.mark.usefixtures("undecided")
def test_a_hostile_text_is_shown_and_not_run(page: Page) -> None:
    page.open("review", words="onerror")
    page.until(lambda: "onerror=alert(1)" in page.card(".text"), "the text as it is")
    assert not page.driver.execute_script("return document.querySelectorAll('img[src=x]').length")


@pytest.mark.usefixtures("undecided")
def test_thumbnails_and_scores(page: Page, picture: Picture) -> None:
    page.open("review")
    page.until(lambda: page.all(".js-plotly-plot"), "the strip of scores")
    script = "return [...document.querySelectorAll('[data-testid=stImage] img')].map(i => i.naturalWidth)"
    widths = page.until(lambda: page.driver.execute_script(script), "thumbnails")
    assert len(widths) >= 2
    assert min(widths) > 0
    picture("review")


def test_filters_are_in_the_address(page: Page) -> None:
    page.open("review", **{"class": "forest"})
    page.until(lambda: page.card(".count").endswith(f"of {TEXTS}"), "one class")
    page.open("review", words="zebra%20crossing")
    page.click("Clear the filters")
    page.until(lambda: page.card(".count").endswith(f"of {TEXTS * len(CLASSES)}"), "all classes")


def test_a_lasso_leads_to_the_pictures(page: Page, home: Home, picture: Picture) -> None:
    finished = next(run.id for run in list_runs(home, NAME) if run.state == "finished")
    page.open("alignment", run=finished, map_method="t-SNE")  # no compiling, as UMAP needs it
    page.click("Compute the map")
    plots = page.until(lambda: len(page.all(".js-plotly-plot")) == 3 and page.all(".js-plotly-plot"), "three views")
    page.settle()
    picture("alignment")
    drag(page, plots[2])
    page.until(lambda: "points picked" in page.text(), "what the lasso picked")
    page.settle()
    text = page.text()
    picked, of = text.split(" points picked")[0].splitlines()[-1].split(" / ")
    assert 0 < int(picked) <= int(of)
    marked = (
        "return [...document.querySelectorAll('.js-plotly-plot')]"
        ".map(plot => plot.data.reduce((sum, trace) => sum + (trace.selectedpoints || []).length, 0))"
    )
    page.until(lambda: page.driver.execute_script(marked) == [int(picked)] * 3, "the same points in all views")
    assert page.all('[data-testid="stImage"] img')
    picture("alignment-lasso")
    page.click("Clear")
    page.until(lambda: "points picked" not in page.text(), "an empty selection")


def drag(page: Page, plot: object) -> None:
    """A lasso around the whole of a plot."""
    box = page.driver.execute_script(
        "arguments[0].scrollIntoView({block: 'center'}); const b = arguments[0].querySelector('.nsewdrag')"
        ".getBoundingClientRect(); return [b.left, b.top, b.width, b.height]",
        plot,
    )
    left, top, width, height = box
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.05)]
    path = [(left + x * width, top + y * height) for x, y in corners]

    def mouse(kind: str, x: float, y: float) -> None:
        event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    mouse("mousePressed", *path[0])
    for (x0, y0), (x1, y1) in pairwise(path):
        for step in range(1, 6):
            mouse("mouseMoved", x0 + (x1 - x0) * step / 5, y0 + (y1 - y0) * step / 5)
    mouse("mouseReleased", *path[-1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1920])
def test_pages_fit_their_window(width: int, scheme: str, page: Page, home: Home, picture: Picture) -> None:
    finished = next(run.id for run in list_runs(home, NAME) if run.state == "finished")
    page.look(scheme, width, 1000)
    for name in ("", "review", "decisions", "launch", "runs", "alignment", "evaluation", "predict"):
        page.open(name, run=finished)
        overflow = "return document.querySelector('[data-testid=stMain]').scrollWidth > innerWidth"
        assert not page.driver.execute_script(overflow), name
        assert not page.all('[data-testid="stException"]'), name
        picture(f"{name or 'projects'}-{scheme}-{width}")

"""What only a browser can tell: lasso, live curves, refresh, and that pages fit their window."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from avion_core.studio.home import Home
from avion_core.studio.training import list_runs
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
Picture = Callable[[str], None]


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
    for name in (
        "",
        "review",
        "sheet",
        "agreement",
        "decisions",
        "launch",
        "runs",
        "alignment",
        "evaluation",
        "predict",
    ):
        page.open(name, run=finished)
        overflow = "return document.querySelector('[data-testid=stMain]').scrollWidth > innerWidth"
        assert not page.driver.execute_script(overflow), name
        assert not page.all('[data-testid="stException"]'), name
        picture(f"{name or 'projects'}-{scheme}-{width}")

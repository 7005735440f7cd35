"""A map in a real browser: computed beside the page, lassoed, shown, exported, and handed on to the review."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from avion_core.usecases.insight.alignment import list_maps
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
Picture = Callable[[str], None]

# Points that a lasso marked, per view, as the browser holds them.
MARKED = (
    "return [...document.querySelectorAll('.js-plotly-plot')]"
    ".map(plot => plot.data.reduce((sum, trace) => sum + (trace.selectedpoints || []).length, 0))"
)

BOTTOMS = "return [...document.querySelectorAll('.js-plotly-plot')].map(plot => plot.getBoundingClientRect().bottom)"
WIDTHS = "return [...document.querySelectorAll('[data-testid=stImage] img')].map(image => image.naturalWidth)"


# The card under the pointer; it lives in a shadow root.
CARD = """
    for (const host of document.querySelectorAll('*')) {
      const title = host.shadowRoot && host.shadowRoot.querySelector('.card > .title')
      if (!title) continue
      const card = title.parentElement, box = card.getBoundingClientRect()
      if (card.hidden || box.bottom > window.innerHeight || box.right > window.innerWidth) return null
      return { text: card.innerText, picture: card.querySelector('img').naturalWidth }
    }"""
PLACE = """
    const plot = document.querySelector(`.st-key-map_${arguments[0]} .js-plotly-plot`)
    const box = plot.querySelector('.nsewdrag').getBoundingClientRect()
    const images = plot._fullData.find(trace => trace.name === 'image')
    return [box.left + plot._fullLayout.xaxis.d2p(images.x[0]), box.top + plot._fullLayout.yaxis.d2p(images.y[0])]"""


def point_at_first_image(page: Page, view: str) -> None:
    x, y = page.driver.execute_script(PLACE, view)
    for away in (3, 1, 0):
        move = {"type": "mouseMoved", "x": x - away, "y": y}
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", move)


def shown_card(page: Page) -> dict | None:
    return page.driver.execute_script(CARD)


def test_from_a_lasso_to_pictures_files_and_the_review(
    page: Page, home: Home, picture: Picture, tmp_path: Path
) -> None:
    finished = next(run.id for run in list_runs(home, NAME) if run.state == "finished")
    page.driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.open("alignment", run=finished)
    assert "No map yet" in page.text()
    page.click("t-SNE")  # no compiling, as UMAP needs it
    page.until(lambda: "Perplexity" in page.text(), "the settings of t-SNE")
    page.click("Compute the map")
    page.until(lambda: list_maps(home, finished), "the job")
    page.open("", run=finished)  # the page is left and the work goes on
    page.until(lambda: list_maps(home, finished)[0].state == "finished", "the map")
    page.open("alignment", run=finished)
    plots = page.until(lambda: len(page.all(".js-plotly-plot")) == 3 and page.all(".js-plotly-plot"), "three views")
    page.settle()
    point_at_first_image(page, "after")
    page.until(lambda: shown_card(page) and shown_card(page)["picture"], "the picture under the pointer")
    assert "Student after training".lower() in shown_card(page)["text"].lower()
    page.lasso(plots[2])
    page.until(lambda: "visible points picked" in page.text(), "what the lasso picked")
    page.settle()
    picked, of = page.text().split(" visible points picked")[0].splitlines()[-1].split(" / ")
    assert 0 < int(picked) <= int(of)
    page.until(lambda: page.driver.execute_script(MARKED) == [int(picked)] * 3, "the same points in all views")
    page.until(lambda: min(page.driver.execute_script(WIDTHS), default=0) > 0, "the pictures of what was picked")
    picture("alignment-lasso")

    for label in ("CSV", "JSON"):
        page.click(label)
    files = [tmp_path / "picked.csv", tmp_path / "picked.json"]
    page.until(lambda: all(file.is_file() and file.stat().st_size for file in files), "the files")
    time.sleep(0.5)
    ids = {row["id"] for row in csv.DictReader(files[0].read_text(encoding="utf-8").splitlines())}
    lists = json.loads(files[1].read_text(encoding="utf-8"))
    assert len(ids) == int(picked) == sum(len(lists[name]) for name in ("images", "descriptions", "prototypes"))
    assert set(lists["images"]) | set(lists["descriptions"]) <= ids
    known = set(current_descriptions(home, get_project(home, NAME).id)["description_id"])
    assert set(lists["descriptions"]) <= known

    page.click(f"Review {len(lists['descriptions'])} descriptions")
    page.until(lambda: page.card("item") in lists["descriptions"], "the review of what was picked")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1920])
def test_the_map_fits_its_window(scheme: str, width: int, page: Page, home: Home) -> None:
    finished = next(run.id for run in list_runs(home, NAME) if run.state == "finished")
    page.look(scheme, width, 720)
    page.open("alignment", run=finished)
    page.until(lambda: len(page.all(".js-plotly-plot")) == 3, "three views")
    page.settle()
    assert max(page.driver.execute_script(BOTTOMS)) <= 720  # the first screen holds the whole map
    page.click("Before → after")
    page.until(lambda: len(page.all(".js-plotly-plot")) == 1, "one view that moves")
    page.settle()
    assert max(page.driver.execute_script(BOTTOMS)) <= 720
    box = "const m = document.querySelector('[data-testid=stMain]'); return [m.scrollWidth, m.clientWidth]"
    wide, room = page.driver.execute_script(box)
    assert wide <= room

"""A training as a person follows it: the curve moves, a refresh keeps it, stop, resume and kill work, runs compare."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs.views import get_run, list_runs
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
Picture = Callable[[str], None]


@pytest.mark.usefixtures("nothing_trains_on")
def test_a_training_lives_through_refresh_and_shows_its_curve(page: Page, home: Home) -> None:
    before = {run.id for run in list_runs(home, NAME)}
    page.open("launch")
    page.type(
        'input[aria-label="Epochs"]', "\ue009a\ue000", "3000", "\ue007", into="Epochs"
    )  # Ctrl + A, the number, Enter
    page.until(lambda: "--epochs 3000" in page.text(), "the command line")
    page.click("Start now")
    (run,) = page.until(lambda: {run.id for run in list_runs(home, NAME)} - before, "the run")
    page.until(lambda: f"run={run}" in page.driver.current_url, "the run in the address")

    def points() -> int:
        # What is drawn (`data` may hold the numbers still encoded).
        script = "const p = document.querySelector('.js-plotly-plot'); return p?.calcdata?.[0]?.length ?? 0"
        return page.driver.execute_script(script) or 0

    counts = []
    for _ in range(3):
        counts.append(page.until(lambda: points() > (counts[-1] if counts else 0) and points(), "the curve to move"))
    assert all(earlier < later for earlier, later in pairwise(counts))
    page.until(lambda: len(page.all(".js-plotly-plot")) == 4, "accuracy, warm-up weight and scale beside the loss")

    page.driver.refresh()
    page.settle()
    page.until(lambda: run in page.text() and points() >= counts[-1], "the same run after a refresh")
    assert get_run(home, run).state == "running"

    page.click("Stop")
    page.until(lambda: get_run(home, run).state == "stopped", "the run to save and stop")
    stopped_at = get_run(home, run).step
    page.click("Resume")
    page.until(
        lambda: get_run(home, run).state == "running" and get_run(home, run).step > stopped_at, "the resumed run"
    )
    page.click("Kill")
    page.until(lambda: get_run(home, run).state in ("lost", "failed", "stopped"), "the run's end")
    page.until(lambda: page.button("Resume"), "the page to know of it")


def test_two_runs_ticked_in_the_table_are_compared(page: Page, home: Home, picture: Picture) -> None:
    """The run of the test above beside the finished one."""
    newest = list_runs(home, NAME)[0].id
    page.open("runs", run=newest)
    grid = page.until(lambda: page.all('[data-testid="stDataFrame"] canvas'), "the table")[0]
    rows = len(list_runs(home, NAME))
    left, top = page.driver.execute_script("const b = arguments[0].getBoundingClientRect(); return [b.x, b.y]", grid)
    for kind in ("mousePressed", "mouseReleased"):  # the tick of the last row: the table is a canvas
        place = {"x": left + 16, "y": top + 35 * rows + 17}
        page.driver.execute_cdp_cmd(
            "Input.dispatchMouseEvent", {"type": kind, **place, "button": "left", "buttons": 1, "clickCount": 1}
        )
    page.until(lambda: "beside=" in page.driver.current_url, "the second run in the address")
    page.until(
        lambda: "distillation.epochs" in page.driver.page_source or "Settings that differ" in page.text(), "both"
    )
    page.settle()
    assert len(page.all(".js-plotly-plot")) == 4
    picture("compare")

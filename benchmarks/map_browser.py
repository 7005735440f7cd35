"""A map of 100,000 points in a real browser: how long a person waits for it, and for what a lasso picks.

    python -m benchmarks.map_browser [--points 1000 20000 100000] [--quick]

The bundled demo is trained for one epoch and mapped; then its map's points are repeated, each at a place of its own,
until there are so many. Headless Chromium draws WebGL on the processor (SwiftShader), which is most of what drawing a
lasso takes here: a machine with a graphics card is faster. Seconds by the clock, until what is named is on the screen
and nothing runs:

    open      the page, with three views of all points
    lasso     the hand's way around nine tenths (all), or a quarter (part), of a view's width and height: 21 steps
    picked    from the end of the lasso to the same points marked in all three views, counted and listed

--quick measures 1,000 points alone. Needs Chromium and its driver (Debian: chromium-driver).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from avion_core.actor import ALONE
from avion_core.usecases.insight.alignment import VIEWS, embed_map, list_maps, map_settings, start_map
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from tests.browser.conftest import open_chromium, serving
from tests.browser.page import Page

DRAWN = (
    "return [...document.querySelectorAll('.js-plotly-plot')]"
    ".map(plot => (plot._fullData || []).reduce((sum, trace) => sum + (trace._length || 0), 0))"
)
MARKED = (
    "return [...document.querySelectorAll('.js-plotly-plot')]"
    ".map(plot => plot.data.reduce((sum, trace) => sum + (trace.selectedpoints || []).length, 0))"
)
PATIENCE = 300


def make_map(home: Home, run: str, count: int, seed: int) -> None:
    """Compute the run's map with this seed, and repeat its points until there are `count`."""
    settings = map_settings(method="tsne", seed=seed)
    folder = embed_map(home, run, settings).folder
    start_map(home, run, settings)
    while list_maps(home, run)[0].state == "running":
        time.sleep(0.2)
    points = pd.read_parquet(folder / "points.parquet")
    draw = np.random.default_rng(0)
    many = points.iloc[np.arange(count) % len(points)].reset_index(drop=True)
    again = np.arange(count) >= len(points)
    many["id"] = [
        f"{name}-{place}" if new else name for place, (name, new) in enumerate(zip(many["id"], again, strict=True))
    ]
    for view in VIEWS:
        for axis in "xy":
            column = f"{axis}_{view}"
            many[column] += np.where(again, draw.normal(scale=0.05 * points[column].std(), size=count), 0)
    many.to_parquet(folder / "points.parquet")


def seconds(page: Page, seen: Callable[[], object]) -> float:
    """Until something is seen and nothing runs."""
    began = time.perf_counter()
    while time.perf_counter() - began < PATIENCE:
        if seen() and not page.all('[data-testid="stStatusWidget"], [data-testid="stSkeleton"]'):
            return time.perf_counter() - began
        time.sleep(0.05)
    raise TimeoutError(page.text()[:2000])


def measure(page: Page, run: str, count: int) -> list[float]:
    """Seconds to open the map, to draw each of two lassos, and from its end to what it picked."""

    def drawn() -> bool:
        return page.driver.execute_script(DRAWN) == [count] * 3

    def marked() -> bool:
        found = page.driver.execute_script(MARKED)
        return len(set(found)) == 1 and found[0] > 0 and "visible points picked" in page.text()

    page.driver.get("about:blank")
    began = time.perf_counter()
    page.driver.get(f"{page.address}/alignment?run={run}")
    seconds(page, drawn)
    figures = [time.perf_counter() - began]
    for share in (0.9, 0.25):
        began = time.perf_counter()
        page.lasso(page.all(".js-plotly-plot")[2], share)
        figures.append(time.perf_counter() - began)
        figures.append(seconds(page, marked))
        page.click("Clear")
        seconds(page, lambda: page.driver.execute_script(MARKED) == [0] * 3)
    return figures


def main(counts: list[int]) -> None:
    if missing := [program for program in ("chromium", "chromedriver") if shutil.which(program) is None]:
        sys.exit(f"This benchmark needs {' and '.join(missing)} (Debian: chromium-driver).")
    print(f"{'points':>8} {'open s':>8} {'lasso all s':>12} {'picked s':>9} {'lasso part s':>13} {'picked s':>9}")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home", ALONE)
        project = open_demo(home, "eurosat")
        run = create_run(home, project.id, overrides={"distillation": {"epochs": 1}}, here=True)
        run_here(home, run, threading.Event())
        driver = open_chromium(Path(folder) / "profile")
        try:
            for seed, count in enumerate(counts):
                make_map(home, run, count, seed)
                with serving(home, Path(folder) / "log.txt") as address:  # one that has read no map yet
                    page = Page(driver, address)
                    page.look("light", 1280, 1000)
                    page.open(project=project.id)  # a person comes from another page: the server's imports are done
                    figures = measure(page, run, count)
                widths = (8, 12, 9, 13, 9)
                row = " ".join(f"{figure:>{width}.1f}" for figure, width in zip(figures, widths, strict=True))
                print(f"{count:>8,} {row}", flush=True)
        finally:
            driver.quit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[1_000, 20_000, 100_000])
    parser.add_argument("--quick", action="store_true", help="1,000 points alone")
    asked = parser.parse_args()
    main([1_000] if asked.quick else asked.points)

"""What a person waits for who opens a page by its address: first paint, first content, and how far things jump.

    python -m benchmarks.page_loads [--times 3] [--quick]

A server of the bundled demo, as `avion demo` leaves it; headless Chromium, 1280 x 720, opens every page anew with the
demo in its address, after one visit that lets the server import its libraries. The browser keeps files that it was
sent, as anybody's does at the second page. Milliseconds from the navigation on, the median of so many visits:

    paint     anything is drawn (first contentful paint)
    title     the page's own title
    content   a picture, plot, table, card or field below it, or a sentence
    rest      nothing runs any more

and the layout shift until then (the sum of the browser's layout-shift entries; 0.1 is called good). Goals: paint
under 2,000, content under 3,000. --quick opens three pages once. Needs Chromium and its driver (Debian:
chromium-driver).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from selenium.webdriver.remote.webdriver import WebDriver

from app.main import PAGE_NAMES
from avion_core.actor import ALONE
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import open_demo
from tests.browser.conftest import open_chromium, serving
from tests.browser.page import Page

GOALS = {"paint": 2000, "content": 3000}
SEEN = ("paint", "title", "content", "rest", "shift")
PATIENCE = 120
WARM_SECONDS = 15
"""The server imports its libraries meanwhile."""
WATCH = """
    window.seen = { shift: 0 }
    const note = name => { seen[name] ??= performance.now() }
    const add = one => { seen.shift += one.hadRecentInput ? 0 : one.value }
    new PerformanceObserver(list => list.getEntries().forEach(add))
      .observe({ type: 'layout-shift', buffered: true })
    setInterval(() => {
      const main = document.querySelector('[data-testid="stMain"]')
      if (!main || !main.querySelector('h1')) return
      note('title')
      const parts = ['DataFrame', 'BidiComponentIsolated', 'WidgetLabel', 'Metric']
      const shown = ['img, canvas, .js-plotly-plot', ...parts.map(part => `[data-testid="st${part}"]`)].join(', ')
      const seen = one => one.checkVisibility({ visibilityProperty: true })
      const words = one => seen(one) && one.innerText.length > 40
      const read = [...main.querySelectorAll('[data-testid="stMarkdown"]')].some(words)
      if (read || [...main.querySelectorAll(shown)].some(seen)) note('content')
      const busy = document.querySelector('[data-testid="stStatusWidget"], [data-testid="stSkeleton"]')
      if (busy || document.body.innerText.includes('the work goes on')) delete seen.rest
      else note('rest')
    }, 20)
"""
NOW = """
    const paint = performance.getEntriesByName('first-contentful-paint')[0]
    return { ...window.seen, paint: paint?.startTime, still: performance.now() - window.seen.rest }
"""


def visit(driver: WebDriver, address: str) -> dict[str, float]:
    """Open an address; what was seen when, once nothing has run for a second."""
    driver.get("about:blank")
    driver.get(address)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = driver.execute_script(NOW)
        if all(found.get(name) is not None for name in SEEN) and (found["still"] or 0) > 1000:
            return {name: float(found[name]) for name in SEEN}
        time.sleep(0.1)
    raise TimeoutError(f"{address} did not come to rest within {PATIENCE} s: {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="three pages, once")
    asked = parser.parse_args()
    names, times = (["projects", "review", "alignment"], 1) if asked.quick else (PAGE_NAMES, asked.times)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home", ALONE)
        project = open_demo(home).id
        with serving(home, Path(folder) / "log.txt") as address:
            driver = open_chromium(Path(folder) / "profile")
            try:
                Page(driver, address).look("light", 1280, 720)
                driver.get(f"{address}/review?project={project}")
                Page(driver, address).settle()
                time.sleep(WARM_SECONDS)
                driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
                print(f"{'':<12}" + "".join(f"{name:>9}" for name in SEEN))
                for name in names:
                    place = f"{address}/{'' if name == 'projects' else name}?project={project}"
                    seen = [visit(driver, place) for _ in range(times)]
                    middle = {kind: statistics.median(one[kind] for one in seen) for kind in SEEN}
                    late = [kind for kind, goal in GOALS.items() if middle[kind] > goal]
                    figures = "".join(f"{middle[kind]:>9,.0f}" for kind in SEEN[:-1]) + f"{middle['shift']:>9.3f}"
                    print(f"{name:<12}{figures}{'  over its goal: ' + ', '.join(late) if late else ''}", flush=True)
            finally:
                driver.quit()


if __name__ == "__main__":
    main()

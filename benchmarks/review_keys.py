"""How long after a key the evidence of the next description is on the screen, in a real browser.

    python -m benchmarks.review_keys [--keys 120] [--quick]

The bundled demo on Review; headless Chromium, 1280 x 720, presses Accept and Reject in turn, each a second after the
evidence of the text before was there. Milliseconds from the key's event in the browser, half and 95 % of all keys:

    text      the next description is on the card
    evidence  the training images that it matches best and worst are painted, with their figures
    server    of it, from the first message that leaves the browser to the last that comes back: the server, and the way

Goal: evidence within 300. The machine's load beside it is printed, since anything that runs there counts. --quick
presses three keys. Needs Chromium and its driver (Debian: chromium-driver).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from avion_core.actor import ALONE
from avion_core.usecases.curation import curation_table, evidence
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import open_demo
from tests.browser.conftest import open_chromium, serving
from tests.browser.page import Page

GOAL = 300
PATIENCE, PAUSE_SECONDS, WARM_SECONDS = 60, 1.0, 20
WATCH = """
    const send = WebSocket.prototype.send
    WebSocket.prototype.send = function (message) {
      if (!this.watched) this.addEventListener('message', () => (window.lastHeard = performance.now()))
      this.watched = true
      if (window.key) window.key.sent ??= performance.now()
      return send.call(this, message)
    }
    const card = () => {
      if (!window.host?.isConnected)
        window.host = [...document.querySelectorAll('*')].find(one => one.shadowRoot?.querySelector('.card'))
      return window.host?.shadowRoot.querySelector('.card')
    }
    const figures = () => [...document.querySelectorAll('[data-testid="stMain"] [data-testid="stCaptionContainer"]')]
      .map(one => one.textContent.trim()).filter(text => /^-?\\d\\.\\d{3}$/.test(text)).join(' ')
    const pictures = () => [...document.querySelectorAll('[data-testid="stMain"] img')]
    addEventListener('keydown', () => {
      const key = (window.key = { at: performance.now(), from: card().dataset.item })
      const look = () => {
        const item = card()?.dataset.item
        if (item && item !== key.from) key.text ??= performance.now()
        const there = key.text && figures() === window.expected[item] && pictures().every(one => one.complete)
        if (!there) return requestAnimationFrame(look)
        key.heard = window.lastHeard
        requestAnimationFrame(() => setTimeout(() => (key.evidence = performance.now())))
      }
      look()
    }, true)
"""
SEEN = """
    const key = window.key
    return key?.evidence && [key.text - key.at, key.evidence - key.at, key.heard - key.sent]
"""


def press(page: Page, key: str) -> list[float]:
    """Press a key; milliseconds to the next text, to its evidence, and the server's share."""
    page.press(key)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := page.driver.execute_script(SEEN):
            page.driver.execute_script("window.key = null")
            return found
        time.sleep(0.02)
    raise TimeoutError(f"no evidence {PATIENCE} s after {key}")


def main(count: int) -> None:
    if missing := [program for program in ("chromium", "chromedriver") if shutil.which(program) is None]:
        sys.exit(f"This benchmark needs {' and '.join(missing)} (Debian: chromium-driver).")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home", ALONE)
        project = open_demo(home).id
        curation = curation_table(home, project)
        expected = {}
        for item in curation.table["description_id"]:
            found = evidence(curation, item)
            expected[item] = " ".join(f"{match.similarity:.3f}" for match in (*found.best, *found.worst))
        with serving(home, Path(folder) / "log.txt") as address:
            driver = open_chromium(Path(folder) / "profile")
            try:
                page = Page(driver, address)
                page.look("light", 1280, 720)
                page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
                page.open("review", project=project)
                time.sleep(WARM_SECONDS)  # the server imports its libraries meanwhile
                page.driver.execute_script("window.expected = arguments[0]", expected)
                seen, load = [], [os.getloadavg()[0]]
                for number in range(count):
                    seen.append(press(page, "ax"[number % 2]))
                    time.sleep(PAUSE_SECONDS)
                load.append(os.getloadavg()[0])
            finally:
                driver.quit()
    print(f"{count} keys; load of {os.cpu_count()} cores {load[0]:.1f} before, {load[1]:.1f} after")
    print(f"{'':<10}{'p50':>8}{'p95':>8}")
    for name, row in zip(("text", "evidence", "server"), np.array(seen).T, strict=True):
        late = f"  over {GOAL}" if name == "evidence" and np.quantile(row, 0.95) > GOAL else ""
        print(f"{name:<10}{np.quantile(row, 0.5):>8,.0f}{np.quantile(row, 0.95):>8,.0f}{late}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=120)
    parser.add_argument("--quick", action="store_true", help="three keys")
    asked = parser.parse_args()
    main(3 if asked.quick else asked.keys)

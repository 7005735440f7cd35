"""What only a browser can tell: that every page fits its window, narrow and wide, light and dark."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(900)
PAGES = sorted(path.stem for path in (Path(__file__).parents[2] / "pages").glob("*.py"))
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 23, 30)"}

# What does not fit, in words: a page wider than its room, elements lying on each other, figures and buttons cut short.
MISFITS = """
const main = document.querySelector('[data-testid=stMain]'), wrong = [];
const name = e => (e.innerText || e.firstElementChild?.dataset.testid || '').trim().slice(0, 40);
for (const part of [document.documentElement, main])
  if (part.scrollWidth > part.clientWidth + 1) wrong.push(`${part.scrollWidth} px of page in ${part.clientWidth}`);
const boxes = [...main.querySelectorAll('[data-testid=stElementContainer]')].filter(e => e.checkVisibility())
  .map(e => [e, e.getBoundingClientRect()]).filter(([, b]) => b.width > 1 && b.height > 1);
for (const [i, [e, a]] of boxes.entries()) for (const [f, b] of boxes.slice(i + 1)) {
  const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (across > 2 && down > 2 && !e.contains(f) && !f.contains(e)) wrong.push(`“${name(e)}” lies on “${name(f)}”`);
}
for (const e of main.querySelectorAll('[data-testid=stMetric] *, button *'))
  if (getComputedStyle(e).textOverflow === 'ellipsis' && e.scrollWidth > e.clientWidth + 1)
    wrong.push(`“${name(e)}” is cut`);
return wrong"""


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_their_window(name: str, page: Page, home: Home) -> None:
    finished = next(run.id for run in list_runs(home, NAME) if run.state == "finished")
    page.open("" if name == "projects" else name, run=finished)
    assert not page.all('[data-testid="stException"]')
    assert not page.all('[data-testid="stAlertContentError"]')
    for scheme, background in BACKGROUNDS.items():
        for width in (1280, 1920):
            page.look(scheme, width, 1000)
            colour = "return getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
            page.until(lambda colour=colour, want=background: page.driver.execute_script(colour) == want, scheme)
            page.settle()
            assert not misfits(page), f"{width} px, {scheme}"


def misfits(page: Page) -> list[str]:
    """What does not fit; measured again where charts follow a new width a moment later."""
    for _ in range(10):
        found = page.driver.execute_script(MISFITS)
        if not found:
            break
        time.sleep(0.5)
    return found

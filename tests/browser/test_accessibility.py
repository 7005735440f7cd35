"""Every page by axe-core: contrast, names, roles and order at level AA, in both themes; two pages on a telephone."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.main import PAGE_NAMES
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(900)
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
STREAMLITS_OWN = {"list", "listitem"}
"""Rules that Streamlit's list of pages breaks: its groups stand as <div> between <ul> and <li>."""
COLOURS = ["color-contrast", "link-in-text-block"]
"""What another theme can break."""
BY_HAND = {"review", "label"}
"""Pages for a telephone, too."""
ASK = """
    const [rules, done] = arguments
    axe.run(document, { runOnly: rules, resultTypes: ["violations"] })
      .then(found => done(found.violations), error => done(String(error)))
"""


def violations(page: Page, rules: list[str]) -> list[str]:
    """What axe-core finds on the page as it stands, a sentence each; of these rules, or levels of them."""
    if not page.driver.execute_script("return Boolean(window.axe)"):
        page.driver.execute_script(AXE)
    found = page.driver.execute_async_script(ASK, rules)
    assert isinstance(found, list), found
    return [
        f"{one['id']}: {node['html'][:160]}: {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
        if not (one["id"] in STREAMLITS_OWN and "stSidebarNav" in html_around(page, node["target"]))
    ]


def html_around(page: Page, target: list[str]) -> str:
    """The names of the parts of Streamlit that an element lies in."""
    script = """
        const names = [], next = one => one && names.push(one.dataset.testid) && next(one.parentElement)
        next(document.querySelector(arguments[0]))
        return names.join(" ")"""
    return page.driver.execute_script(script, target[0])


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_a_page_can_be_used_by_everybody(name: str, page: Page) -> None:
    page.driver.set_script_timeout(240)
    page.open("" if name == "projects" else name)
    found: dict[str, list[str]] = {}
    for scheme, width, rules in (("light", 1280, LEVELS), ("dark", 1280, COLOURS), ("light", 390, LEVELS)):
        if width < 1280 and name not in BY_HAND:
            continue
        page.look(scheme, width, 900)
        page.settle()
        found[f"{scheme}, {width} px"] = violations(page, rules)
        wide = page.driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{name} has to be scrolled sideways at {width} px: {wide} px too wide"
    said = [f"{where}: {one}" for where, some in found.items() for one in some]
    assert not said, "\n".join(said)

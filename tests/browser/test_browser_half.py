"""What the browser's halves of all components share, in a real browser without the app."""

from __future__ import annotations

import json
from pathlib import Path

from selenium.webdriver.remote.webdriver import WebDriver

from app.kit import browser_half

_SHARED = Path(browser_half.__file__).with_suffix(".js").read_text(encoding="utf-8")
_SCRIPT = """
    const heard = []
    const stops = {}
    const doing = {
      take: (name) => (stops[name] = takeKeys((event) => heard.push(name + " " + event.key))),
      stop: (name) => stops[name](),
      press: (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key })),
    }
    for (const [what, name] of %s) doing[what](name)
    for (const stop of Object.values(stops)) stop()
    return heard"""


def heard(driver: WebDriver, *steps: tuple[str, str]) -> list[str]:
    driver.get("data:text/html,<p>nothing")
    return driver.execute_script(_SHARED + _SCRIPT % json.dumps(steps))


def test_the_newest_component_hears_every_key_once(chromium: WebDriver) -> None:
    steps = [("take", "first"), ("press", "a"), ("take", "second"), ("press", "x"), ("press", "s")]
    assert heard(chromium, *steps) == ["first a", "second x", "second s"]


def test_a_component_taken_away_late_leaves_its_successor_the_keys(chromium: WebDriver) -> None:
    """An alert that appears above the review card draws it again, and the old card goes after the new one came."""
    steps = [("take", "old"), ("take", "new"), ("stop", "old"), ("press", "a")]
    assert heard(chromium, *steps) == ["new a"]


def test_a_component_that_is_gone_hears_nothing(chromium: WebDriver) -> None:
    assert heard(chromium, ("take", "only"), ("press", "a"), ("stop", "only"), ("press", "x")) == ["only a"]

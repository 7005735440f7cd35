"""What a person does with the app, in words of the app."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from PIL import Image
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

PATIENCE = 240
_BUTTON = """
    const named = button => button.checkVisibility() && button.innerText.trim().endsWith(arguments[0])
    const button = [...document.querySelectorAll('button')].find(named)
    """
Seen = TypeVar("Seen")


class Page:
    """The app in a browser."""

    def __init__(self, driver: WebDriver, address: str) -> None:
        self.driver, self.address = driver, address

    def look(self, scheme: str, width: int, height: int) -> None:
        """Choose light or dark, and the window's size."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def open(self, name: str = "", **query: str) -> None:
        pairs = "&".join(f"{key}={value}" for key, value in query.items())
        self.driver.get(f"{self.address}/{name}?{pairs}")
        self.settle()

    def until(self, see: Callable[[], Seen], what: str) -> Seen:
        """Wait until `see` gives something true; the page may be drawn anew meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if seen := see():
                    return seen
            except (NoSuchElementException, StaleElementReferenceException):  # between two pages, or drawn anew
                pass
            time.sleep(0.1)
        raise AssertionError(f"waited {PATIENCE} s for {what}; the page reads:\n{self.main_text()[:3000]}")

    def type(self, selector: str, *keys: str, into: str) -> None:
        """Find a field and type into it at once: a page drawn anew between the two would leave the field behind."""
        self.until(lambda: [field.send_keys(*keys) or field for field in self.all(selector)[:1]], into)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self) -> str:
        # The driver's own `.text` asks for every element's style in turn: a hundred times as long.
        return self.driver.execute_script("return document.body?.innerText ?? ''")

    def main_text(self) -> str:
        """What the page says without the sidebar's links, which are the same everywhere."""
        script = "return (document.querySelector('[data-testid=stMain]') ?? document.body)?.innerText ?? ''"
        return self.driver.execute_script(script)

    def settle(self) -> None:
        """Wait until the page has a title and nothing runs."""
        script = """
            const busy = document.querySelector('[data-testid="stStatusWidget"], [data-testid="stSkeleton"]')
            return document.querySelector('h1') && !busy && !document.body.innerText.includes('the work goes on')"""

        def still() -> bool:
            return self.driver.execute_script(script)

        self.until(still, "a page at rest")
        time.sleep(0.3)
        self.until(still, "a page at rest")

    def button(self, label: str) -> WebElement:
        return self.until(lambda: self.driver.execute_script(_BUTTON + "return button", label), f"the button {label}")

    def click(self, label: str) -> None:
        """Press a button as soon as it can be pressed; found and pressed at once, for a live page draws it anew."""
        script = _BUTTON + "if (!button || button.disabled) return false; button.click(); return true"
        self.until(lambda: self.driver.execute_script(script, label), f"the button {label} to press")

    def go(self, title: str) -> None:
        """To another page, by the sidebar or by the links beside the title."""
        script = """
            const kinds = '[data-testid="stSidebarNavLink"], [data-testid="stPageLink-NavLink"]'
            const links = [...document.querySelectorAll(kinds)]
            const link = links.find(link => link.innerText.trim().endsWith(arguments[0]))
            link?.click(); return Boolean(link)"""
        self.until(lambda: self.driver.execute_script(script, title), f"the link {title}")

    def press(self, key: str) -> None:
        """A key as the keyboard sends it, to whatever has the focus."""
        code = f"Key{key.upper()}" if len(key) == 1 else key
        for kind in ("keyDown", "keyUp"):
            self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, "key": key, "code": code})

    def card(self, attribute: str) -> str:
        """A data attribute of the review card (it lives in a shadow root)."""
        script = """
            for (const host of document.querySelectorAll('*')) {
              const card = host.shadowRoot && host.shadowRoot.querySelector('.card')
              if (card) return card.dataset[arguments[0]] ?? card.querySelector(arguments[0])?.textContent
            }"""
        return self.driver.execute_script(script, attribute) or ""

    def judge(self, keys: str) -> list[str]:
        """Press keys on the review card, a text each; their ids, once every verdict is kept."""
        judged: list[str] = []
        for key in keys:
            judged.append(self.card("item"))
            self.press(key)
            self.until(lambda: self.card("item") != judged[-1], "the next description")
        self.until(lambda: self.card("pending") == "0", "every verdict to be kept")
        return judged

    def lasso(self, plot: WebElement, share: float = 0.96) -> None:
        """Draw a lasso around the middle of a plot, over this share of its width and height."""
        left, top, width, height = self.driver.execute_script(
            "arguments[0].scrollIntoView({block: 'center'}); const b = arguments[0].querySelector('.nsewdrag')"
            ".getBoundingClientRect(); return [b.left, b.top, b.width, b.height]",
            plot,
        )
        low, high = 0.5 - share / 2, 0.5 + share / 2
        corners = [(low, low), (high, low), (high, high), (low, high), (low, low + 0.03)]
        path = [(left + x * width, top + y * height) for x, y in corners]

        def mouse(kind: str, x: float, y: float) -> None:
            event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

        mouse("mousePressed", *path[0])
        for (x0, y0), (x1, y1) in pairwise(path):
            for step in range(1, 6):
                mouse("mouseMoved", x0 + (x1 - x0) * step / 5, y0 + (y1 - y0) * step / 5)
        mouse("mouseReleased", *path[-1])

    def shoot(self, path: Path) -> None:
        """Save what the window shows, with the mouse out of the way, in 256 colours: a third of the bytes."""
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 0, "y": 0})
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))
        with Image.open(path) as shot:
            shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)

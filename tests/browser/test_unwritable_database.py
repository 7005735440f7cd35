"""A database that cannot be written for a while: what was pressed waits in the tab, says so, and stands in the end."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from avion_core.usecases.curation import history
from tests.app.tiny_home import NAME, make_home
from tests.browser.conftest import serving
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)
KEYS = "axaxax"

_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another_process(file: Path) -> Iterator[None]:
    command = [sys.executable, "-c", _HOLDER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.kill()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left on it."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        size = 2**20
        while size:
            try:
                ballast.write(bytes(size))
            except OSError:
                size //= 2
    yield
    (disk / "ballast").unlink()


@pytest.mark.parametrize("trouble", ["a lock that is held", "a full disk"])
def test_every_verdict_waits_and_is_written_in_the_end(trouble: str, chromium: WebDriver, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        home = make_home(disk, trained=False)
        database = home.path / "avion.sqlite3"
        unwritable = held_by_another_process(database) if trouble.startswith("a lock") else full(disk)
        log = tmp_path / "log.txt"
        with serving(home, log, program="tests.browser.impatient_streamlit") as address:
            page = Page(chromium, address)
            page.look("light", 1280, 1000)
            page.open("review")
            page.until(lambda: page.card("item"), "the review card")
            with unwritable:
                judged = press(page)
                page.until(lambda: f"{len(KEYS)} decisions not saved yet" in page.text(), "what waits")
                time.sleep(5)  # it is sent again meanwhile, and must not count as taken
                assert f"{len(KEYS)} decisions not saved yet: leave this tab open" in page.text()
                assert f"{len(KEYS)} not saved yet" in str(outbox(page))
                assert "Something unexpected" not in page.text()
                with closing(sqlite3.connect(database)) as connection:
                    assert connection.execute("SELECT count(*) FROM verdicts").fetchone() == (0,)
                # Another page of the app carries them along.
                page.go("Class sheet")
                page.until(lambda: "not saved yet: leave this tab open" in page.text(), "what waits, on another page")
            page.until(lambda: outbox(page) == "", "the server to take every decision")
        for key, item in zip(KEYS, judged, strict=True):
            said = [(entry.verdict, entry.reviewer) for entry in history(home, NAME, item)]
            assert said == [({"a": "accept", "x": "reject"}[key], "me")]
        home.engine.dispose()


def press(page: Page) -> list[str]:
    """The keys, a text each, as fast as they are shown."""
    judged: list[str] = []
    for key in KEYS:
        item = page.until(lambda: (found := page.card("item")) not in judged and found, "the next text")
        judged.append(item)
        page.press(key)
    return judged


def outbox(page: Page) -> str | None:
    """What the tab says waits in it; "" for nothing, None while the outbox is not drawn."""
    script = """
        for (const host of document.querySelectorAll('*')) {
          const note = host.shadowRoot?.querySelector('.waiting')
          if (note) return note.hidden ? '' : note.textContent
        }
        return null"""
    return page.driver.execute_script(script)

"""review.html of an offline review pack, opened as a file: judged by key, opened again, saved, and merged at home."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
from selenium.webdriver.remote.webdriver import WebDriver
from typer.testing import CliRunner

from avion_core.cli import app
from avion_core.usecases.curation import history
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.transfer.review_packs import make_review_pack
from tests.app.tiny_home import CLASSES, HOSTILE, NAME, TEXTS, make_home
from tests.browser.page import Page

CONTROL_ENTER, ENTER = "\ue009\ue007", "\ue007"
ALL = len(CLASSES) * TEXTS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = make_home(tmp_path, trained=False)
    monkeypatch.setenv("AVION_HOME", str(home.path))  # where the command line looks
    return home


class Sheet(Page):
    """The file in a browser."""

    def see(self, sentence: str) -> None:
        self.until(lambda: sentence in self.text(), sentence)

    def press(self, *keys: str) -> None:
        for key in keys:
            super().press(key)

    def type_in(self, words: str) -> None:
        self.driver.switch_to.active_element.send_keys(words)


@pytest.fixture
def sheet(home: Home, chromium: WebDriver, tmp_path: Path) -> Sheet:
    """review.html of a new pack, opened."""
    with ZipFile(make_review_pack(home, NAME, tmp_path / "pack.zip").path) as pack:
        file = Path(pack.extract("review.html", tmp_path))
    sheet = Sheet(chromium, file.as_uri())
    sheet.look("light", 1280, 1000)
    chromium.get(sheet.address)
    sheet.see(f"0 of {ALL} judged, this is number 1")
    return sheet


def test_two_tabs_of_a_file_lose_nothing_of_each_other(sheet: Sheet) -> None:
    first = sheet.driver.current_window_handle
    sheet.type_in(f"ann{ENTER}")
    sheet.press("a")
    sheet.see(f"1 of {ALL} judged")
    sheet.driver.switch_to.new_window("tab")
    sheet.driver.get(sheet.address)
    sheet.see(f"1 of {ALL} judged, this is number 2")
    sheet.press("x")
    sheet.see(f"2 of {ALL} judged")
    sheet.driver.close()
    sheet.driver.switch_to.window(first)
    sheet.press("ArrowRight", "x")
    sheet.see(f"3 of {ALL} judged, this is number 4")


def test_a_browser_that_keeps_nothing_says_so(sheet: Sheet) -> None:
    without = {"source": "Object.defineProperty(window, 'indexedDB', {value: undefined})"}
    script = sheet.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", without)
    sheet.driver.get(sheet.address)
    sheet.see("This browser keeps nothing: save your verdicts before you close the page.")
    sheet.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    sheet.type_in(f"ann{ENTER}")
    sheet.press("a")
    sheet.see(f"1 of {ALL} judged, this is number 2")


def test_judged_in_a_file_and_merged_at_home(home: Home, sheet: Sheet, tmp_path: Path) -> None:
    chromium = sheet.driver
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    widths = sheet.until(
        lambda: chromium.execute_script("return [...document.images].map(image => image.naturalWidth)"), "pictures"
    )
    assert min(widths) > 0
    sheet.all("main")[0].click()
    sheet.press("a")  # nobody has said who judges: nothing is written down, and the name is asked for
    assert f"0 of {ALL} judged" in sheet.text()
    sheet.type_in(f"ann{ENTER}")
    sheet.press("a", "x", "s", "a", "u", "x")
    sheet.see(f"3 of {ALL} judged, this is number 5")
    sheet.press("ArrowLeft", "e")
    sheet.type_in(f" Seen from above.{CONTROL_ENTER}")
    sheet.see("You edited it.")
    sheet.see(f"2 of {ALL} judged, this is number 4")
    sheet.press("a")

    chromium.get("about:blank")
    chromium.get(sheet.address)  # closed and opened again: name, place and verdicts are kept
    sheet.see(f"3 of {ALL} judged, this is number 5")
    for _ in range(ALL - 4):
        sheet.press("x")
    sheet.see("That was the last one. Press → for the first of the 1 that you have not judged.")
    sheet.press("x", "ArrowRight")
    sheet.see("this is number 3")
    sheet.press("a", "ArrowLeft", "s")  # skipping takes no verdict back
    sheet.see(f"{ALL} of {ALL} judged, this is number 4")
    sheet.click("Save my verdicts as a file")
    file = tmp_path / "verdicts-ann.jsonl"
    sheet.until(lambda: file.is_file() and file.stat().st_size, "the file")

    result = CliRunner().invoke(app, ["review", "merge", NAME, str(file)])
    assert result.exit_code == 0, result.output
    assert "(ann " in result.output
    table = current_descriptions(home, get_project(home, NAME).id)
    verdicts, items = table["verdict"].tolist(), table["description_id"].tolist()
    assert set(table["reviewer"]) == {"ann"}
    assert verdicts == ["accepted", "rejected", "accepted", "accepted", *["rejected"] * (ALL - 4)]
    assert HOSTILE in table["text"].tolist()
    assert table["text"][3].endswith(" Seen from above.")
    assert [entry.verdict for entry in history(home, NAME, items[2])] == ["skip", "accept", "skip"]
    given = [entry.verdict for entry in history(home, NAME, items[3])]
    assert given == ["accept", "undo", "reject", "edit", "accept"]
    again = CliRunner().invoke(app, ["review", "merge", NAME, str(file)])
    assert "0 decisions merged" in again.output

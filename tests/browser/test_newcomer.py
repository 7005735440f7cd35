"""A newcomer's first sitting: demo, ten verdicts, a slider, a training, its map, an export, by clicks and keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains

from avion_core.actor import ALONE
from avion_core.usecases.curation.rules import current_rules
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.demo_results import WHO
from avion_core.usecases.projects.summaries import list_projects
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import need_demo_weights
from tests.browser.conftest import serving
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(900)
Picture = Callable[[str], None]
JUDGED = 10
SELECT_ALL, ENTER, LEFT = "\ue009a\ue000", "\ue007", "\ue012"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A studio that nobody has used yet."""
    fresh = Home(tmp_path / "home", ALONE)
    need_demo_weights(fresh.path)
    return fresh


@pytest.fixture
def server(home: Home, tmp_path: Path) -> Iterator[str]:
    with serving(home, tmp_path / "log.txt") as address:
        yield address


def arrive(page: Page, title: str) -> None:
    page.until(lambda: page.all("h1") and page.all("h1")[0].text == title, f"the page {title}")
    page.settle()


def go(page: Page, title: str) -> None:
    """By the sidebar."""
    page.go(title)
    arrive(page, title)


def set_number(page: Page, label: str, value: int) -> None:
    page.type(f'input[aria-label="{label}"]', SELECT_ALL, str(value), ENTER, into=label)
    page.settle()


def test_from_the_demo_to_a_map_and_an_export(page: Page, home: Home, picture: Picture, tmp_path: Path) -> None:
    page.driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})

    page.open()
    page.click("Open the demo")
    page.until(lambda: "1,045" in page.text(), "the demo's images")
    page.settle()
    picture("projects")
    (project,) = list_projects(home)

    page.click("Review descriptions")
    arrive(page, "Review")
    page.until(lambda: page.card("item"), "the first description")
    page.settle()
    picture("review")
    judged = page.judge("ax" * (JUDGED // 2))
    table = current_descriptions(home, project.id).set_index("description_id")
    assert list(table.loc[judged, "verdict"]) == ["accepted", "rejected"] * (JUDGED // 2)

    go(page, "Decisions")
    page.until(lambda: page.all('input[type="range"][aria-label*="ζ"]'), "the slider")
    page.settle()  # it stands on the page before it can be moved
    zeta = page.all('input[type="range"][aria-label*="ζ"]')[0]
    page.driver.execute_script("arguments[0].focus()", zeta)
    ActionChains(page.driver).send_keys(LEFT * 3).perform()  # the slider's input itself is hidden from the eye
    page.until(lambda: page.button("Save as the project's rules").is_enabled(), "rules to save")
    page.settle()
    picture("decisions")
    page.click("Save as the project's rules")
    page.until(lambda: "Current rules: version 1" in page.text(), "the rules to be in force")
    rules, _, version = current_rules(home, project.id)
    assert (version, round(rules.zeta, 1)) == (1, 2.7)

    page.click("Train with these rules")
    arrive(page, "Launch")
    set_number(page, "Images per class", 1)
    set_number(page, "Epochs", 2)
    page.until(lambda: "--epochs 2" in page.text(), "the settings in the command")
    picture("launch")
    page.click("Start now")
    arrive(page, "Runs")
    page.until(lambda: "Compute its map" in page.text(), "the end of the training")
    run, came = list_runs(home, project.id)
    assert (run.state, run.rule_version) == ("finished", 1)
    assert came.who == WHO  # the one that the demo comes with

    go(page, "Alignment")  # not by that button: it takes UMAP, which compiles itself first
    page.click("t-SNE")
    page.until(lambda: "Perplexity" in page.text(), "the settings of t-SNE")
    page.click("Compute the map")
    page.until(lambda: len(page.all(".js-plotly-plot")) == 3, "teacher, student before and after")
    page.settle()
    page.driver.execute_script("document.querySelector('.js-plotly-plot').scrollIntoView({block: 'center'})")
    picture("alignment")

    go(page, "Import & export")
    page.click("Export 1,447 descriptions")
    (exported,) = page.until(lambda: list(tmp_path.glob("*.jsonl")), "the file")
    picture("exchange")
    rows = {row["description_id"]: row for row in map(json.loads, exported.read_text(encoding="utf-8").splitlines())}
    assert set(rows) == set(table.index)
    assert [rows[item]["history"][-1]["verdict"] for item in judged] == ["accept", "reject"] * (JUDGED // 2)
    assert sum(bool(row["history"]) for row in rows.values()) == JUDGED

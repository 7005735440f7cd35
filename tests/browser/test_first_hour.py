"""A stranger's first hour: pictures of their own to predictions and a report, offline, in few clicks and fields."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from avion_core.actor import ALONE
from avion_core.bundled import demo_folder
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import list_projects
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import need_demo_weights
from tests.browser.conftest import forget_drafts, serving
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(900)
Picture = Callable[[str], None]

MOST_CLICKS, MOST_FIELDS = 12, 3
CLASSES = ("AnnualCrop", "Forest", "Highway", "Industrial", "Pasture", "Residential", "River", "SeaLake")
OTHERS = ("HerbaceousVegetation", "PermanentCrop")
"""Classes of EuroSAT that the stranger has no pictures of; the published file describes them all the same."""
MPVR = {
    "AnnualCrop": "Annual Crop Land",
    "Forest": "Forest",
    "HerbaceousVegetation": "Herbaceous Vegetation Land",
    "Highway": "Highway or Road",
    "Industrial": "Industrial Buildings",
    "Pasture": "Pasture Land",
    "PermanentCrop": "Permanent Crop Land",
    "Residential": "Residential Buildings",
    "River": "River",
    "SeaLake": "Sea or Lake",
}
"""Class -> what the published file calls it."""
LABELLED, NEW, SHOTS, JUDGED = 30, 60, 4, 10
DOCS = Path(__file__).parents[2] / "docs"
OFFLINE = Path(__file__).parent / "offline"
SELECT_ALL, ENTER = "\ue009a\ue000", "\ue007"


class CountingPage(Page):
    """A page that counts what a person does by hand: presses of buttons and links, dropped files, filled fields.

    Keys of the review card are no clicks.
    """

    def __init__(self, driver: WebDriver, address: str) -> None:
        super().__init__(driver, address)
        self.clicks: list[str] = []
        self.fields: list[str] = []

    def click(self, label: str) -> None:
        super().click(label)
        self.clicks.append(label)

    def go(self, title: str) -> None:
        super().go(title)
        self.clicks.append(title)

    def fill(self, label: str, text: str) -> None:
        """Write into a field and leave it with Enter."""
        self.type(f'input[aria-label="{label}"]', SELECT_ALL, text, ENTER, into=label)
        self.fields.append(label)

    def drop(self, label: str, file: Path) -> None:
        """Give a file to where files are dropped; counts as a click."""
        self.type('input[type="file"]', str(file), into=label)
        self.clicks.append(label)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A studio that nobody has used yet."""
    fresh = Home(tmp_path / "home", ALONE)
    need_demo_weights(fresh.path)
    return fresh


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """Where every try to reach another machine is written down."""
    return tmp_path / "refused.txt"


@pytest.fixture
def cut_off(refused: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a process that, with all that it starts, can reach nothing beyond this machine."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    path = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "AVION_REFUSED": str(refused), "HF_HUB_OFFLINE": "1"}


@pytest.fixture
def server(home: Home, cut_off: dict[str, str], tmp_path: Path) -> Iterator[str]:
    with serving(home, tmp_path / "log.txt", **cut_off) as address:
        yield address


@pytest.fixture
def page(chromium: WebDriver, server: str, tmp_path: Path) -> CountingPage:
    """A browser on a small laptop."""
    forget_drafts(chromium)
    page = CountingPage(chromium, server)
    page.look("light", 1280, 720)
    chromium.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    return page


@pytest.fixture
def pictures() -> Iterator[Path]:
    """The stranger's folder: eight folders of pictures and a table that labels them, and new ones without a label."""
    with TemporaryDirectory(prefix="stranger-") as parent:  # its name can be read in the pictures of the document
        yield make_folder(Path(parent) / "my-land")


def make_folder(folder: Path) -> Path:
    eurosat, new = demo_folder() / "eurosat" / "images", folder / "new"
    new.mkdir(parents=True)
    rows, scenes = [], 0
    for key in CLASSES:
        (folder / key).mkdir()
        for number, picture in enumerate(sorted((eurosat / key).iterdir())):
            if number < LABELLED:
                shutil.copy(picture, folder / key)
                rows.append((f"{key}/{picture.name}", key))
            elif number < LABELLED + NEW // len(CLASSES) + (key in CLASSES[: NEW % len(CLASSES)]):
                scenes += 1
                shutil.copy(picture, new / f"scene_{scenes:02}.jpg")
    assert (len(rows), scenes) == (LABELLED * len(CLASSES), NEW)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows([("path", "label"), *rows])
    return folder


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Descriptions in the form of MPVR's `gpt_EuroSAT.json`: all ten classes, by the names of its own."""
    of_class: dict[str, list[str]] = defaultdict(list)
    for line in (demo_folder() / "eurosat" / "descriptions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        of_class[MPVR[row["class_key"]]].append(row["text"])
    file = tmp_path / "gpt_EuroSAT.json"
    file.write_text(json.dumps(of_class, indent=4), encoding="utf-8")
    return file


def arrive(page: Page, title: str) -> None:
    page.until(lambda: page.all("h1") and page.all("h1")[0].text == title, f"the page {title}")
    page.settle()


def show(page: Page, words: str) -> None:
    """Scroll down to where these words stand."""
    script = """
        const holds = element => element.innerText?.includes(arguments[0])
        const main = document.querySelector('[data-testid=stMain]')
        const found = [...main.querySelectorAll('p')].find(holds)
        main.scrollBy(0, found.getBoundingClientRect().top - 90)"""
    page.driver.execute_script(script, words)


def test_the_network_is_cut_off(cut_off: dict[str, str], refused: Path) -> None:
    """Or the test below would say little: an address of a test network, and a name."""
    tries = "import socket, sys; socket.create_connection((sys.argv[1], 80), timeout=5)"
    for host in ("192.0.2.1", "huggingface.co"):
        asked = [sys.executable, "-c", tries, host]
        done = subprocess.run(asked, env={**os.environ, **cut_off}, capture_output=True, text=True, check=False)
        assert f"the network is cut off: {host}" in done.stderr
    assert [line.split()[-1] for line in refused.read_text(encoding="utf-8").splitlines()] == [
        "192.0.2.1",
        "huggingface.co",
    ]


def test_from_a_folder_to_predictions_and_a_report(
    page: CountingPage, home: Home, pictures: Path, published: Path, refused: Path, picture: Picture, tmp_path: Path
) -> None:
    page.driver.get(page.address)
    page.settle()
    page.fill("Image folder", str(pictures))
    page.until(lambda: "240 labelled, 60 unlabelled" in page.text(), "what the folder holds")
    page.settle()
    picture("first-hour-create")
    page.click("Create the project")
    page.until(lambda: "my-land is open" in page.text() and "No descriptions yet" in page.text(), "the project")
    page.settle()
    picture("first-hour-project")

    page.click("Import descriptions")
    arrive(page, "Import & export")
    page.drop("File of descriptions", published)
    page.until(lambda: "to match" in page.text(), "the class names")
    page.settle()
    show(page, "to match")
    picture("first-hour-import")
    texts = json.loads(published.read_text(encoding="utf-8"))
    left_out = sum(len(texts[MPVR[key]]) for key in OTHERS)
    brought = sum(map(len, texts.values())) - left_out
    page.click(f"Import {brought} descriptions, leave out {left_out}")
    page.until(lambda: f"{brought} descriptions are ready to review" in page.text(), "the descriptions")
    (project,) = list_projects(home)
    table = current_descriptions(home, project.id).set_index("description_id")
    assert table.groupby("class_key")["text"].agg(list).to_dict() == {key: texts[MPVR[key]] for key in CLASSES}

    page.click("Review descriptions")
    arrive(page, "Review")
    page.until(lambda: page.card("item"), "the first description")
    page.settle()
    picture("first-hour-review")
    judged = page.judge("ax" * (JUDGED // 2))

    page.click("Train a student")
    arrive(page, "Launch")
    page.fill("Images per class", str(SHOTS))
    page.until(lambda: f"--shots {SHOTS}" in page.text(), "the settings in the command")
    page.settle()
    picture("first-hour-launch")
    page.click("Start now")
    arrive(page, "Runs")
    page.until(lambda: "Compute its map" in page.text(), "the end of the training")
    picture("first-hour-run")
    (run,) = list_runs(home, project.id)
    assert (run.state, run.config.data.shots) == ("finished", SHOTS)

    page.click("Compute its map")
    arrive(page, "Alignment")
    page.until(lambda: len(page.all(".js-plotly-plot")) == 3, "teacher, student before and after")
    page.settle()
    picture("first-hour-map")

    page.go("Predict")
    arrive(page, "Predict")
    page.fill("Or a folder on this computer", str(pictures / "new"))
    page.until(lambda: "60 images" in page.main_text(), "the predictions")
    page.settle()
    show(page, "60 images")
    picture("first-hour-predict")

    page.go("Import & export")
    arrive(page, "Import & export")
    page.click(f"Export {brought} descriptions")
    exported = downloaded(page, tmp_path, "*.jsonl")
    picture("first-hour-export")
    page.click("Report to hand over")
    report = downloaded(page, tmp_path, "report-*.html")

    rows = {row["description_id"]: row for row in map(json.loads, exported.splitlines())}
    assert set(rows) == set(table.index)
    assert [rows[item]["history"][-1]["verdict"] for item in judged] == ["accept", "reject"] * (JUDGED // 2)
    assert sum(bool(row["history"]) for row in rows.values()) == JUDGED
    assert run.name in report
    assert refused.read_text(encoding="utf-8") == ""  # nothing even tried
    assert len(page.clicks) <= MOST_CLICKS, page.clicks
    assert len(page.fields) <= MOST_FIELDS, page.fields
    assert written_path() == ([re.sub(r"\d+", "…", label) for label in page.clicks], page.fields)


def written_path() -> tuple[list[str], list[str]]:
    """What docs/first-hour.md says is clicked, in bold, and filled in, in italics; numbers as "…"."""
    document = (DOCS / "first-hour.md").read_text(encoding="utf-8")
    steps = "\n".join(re.findall(r"^\d+\..*(?:\n +.*)*", document, re.MULTILINE))
    clicks = [" ".join(label.split()) for label in re.findall(r"\*\*(.+?)\*\*", steps, re.DOTALL)]
    return [re.sub(r"\d+", "…", label) for label in clicks], re.findall(r"(?<!\w)_([^_]+)_(?!\w)", steps)


def downloaded(page: Page, folder: Path, pattern: str) -> str:
    (file,) = page.until(lambda: list(folder.glob(pattern)), pattern)
    return file.read_text(encoding="utf-8")

"""A click into the confusion matrix, and files dropped on the predict page, in a real browser."""

from __future__ import annotations

import pytest

from avion_core.usecases.insight.confusion import Confusions, confusions
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.views import list_runs
from avion_core.wording import counted
from tests.app.tiny_home import CLASSES, NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)


def click_cell(page: Page, row: int, column: int) -> None:
    """A mouse click into the middle of a cell of the confusion matrix."""
    place = page.driver.execute_script(
        "const plot = document.querySelector('.js-plotly-plot'); plot.scrollIntoView({block: 'center'});"
        "const box = plot.querySelector('.nsewdrag').getBoundingClientRect(); const n = arguments[2];"
        "return [box.left + box.width * (arguments[1] + 0.5) / n, box.top + box.height * (arguments[0] + 0.5) / n]",
        row,
        column,
        len(CLASSES),
    )
    mouse = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
    for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "buttons": buttons, **mouse})


def open_cell(page: Page, found: Confusions, names: dict[str, str], cell: tuple[int, int]) -> None:
    """Click a cell and see its texts, and as many pictures as it counts."""
    true, said = (found.curation.class_keys[place] for place in cell)
    count = len(found.pictures("student", true, said))
    click_cell(page, *cell)
    page.until(lambda: f"Texts that pull {names[true]} and {names[said]} together" in page.text(), "the cell's texts")
    page.until(lambda: f"{names[true]} taken for {names[said]}: {counted(count, 'image')}" in page.text(), "its count")
    page.until(lambda: len(page.all('[data-testid="stImage"] img')) == count, "its pictures")


def test_a_cell_opens_pictures_texts_and_a_contrast(page: Page, home: Home) -> None:
    run = next(run.id for run in list_runs(home, NAME) if run.state == "finished")
    found = confusions(home, NAME, run)
    names = {entry.key: entry.prompt_name for entry in get_project(home, NAME).classes}
    page.open("confusion", run=run)
    page.until(lambda: page.all(".js-plotly-plot .nsewdrag"), "the matrix")
    apart = [(row, column) for row in range(len(CLASSES)) for column in range(len(CLASSES)) if row != column]
    matrix = found.matrix("student")
    apart.sort(key=lambda cell: matrix[cell[0]][cell[1]])
    for cell in (apart[0], apart[-1]):  # the least confused pair, then the most confused one
        open_cell(page, found, names, cell)
    text = "Aerial view of dense dark canopy without any roof or street."
    page.type("textarea", text, into="where a contrast is written")
    page.click("Test them")
    page.until(lambda: "Teacher, all classes" in page.text(), "the scores")


def test_two_files_are_classified_with_evidence(page: Page, home: Home) -> None:
    folder = get_project(home, NAME).image_root
    files = [sorted((folder / name).iterdir())[0] for name in CLASSES[:2]]
    page.open("predict")
    page.type('input[type="file"]', "\n".join(map(str, files)), into="where files are dropped")
    page.until(lambda: "Training images it looks like" in page.text(), "the prediction and its evidence")
    script = "return [...document.querySelectorAll('[data-testid=stImage] img')].filter(i => i.naturalWidth).length"
    page.until(lambda: page.driver.execute_script(script) >= 1 + 4 + len(files), "pictures of image and evidence")
    assert "2 images" in page.text()

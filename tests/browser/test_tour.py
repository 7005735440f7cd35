"""The rest of the demo after a training, page by page: what the newcomer of test_newcomer.py looks at later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event

import pytest

from avion_core.actor import ALONE
from avion_core.usecases.curation import record_verdicts
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.creating import open_demo
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from tests.app.tiny_home import need_demo_weights
from tests.browser.conftest import serving
from tests.browser.page import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
Picture = Callable[[str], None]
TRAINING = {"data.shots": 4, "distillation.epochs": 6}
# page: what it shows of the trained demo
SHOWS = {
    "images": "Pictures 1 to 24 of",
    "classes": "Save the card",
    "sheet": "Class 1 of 21",
    "writers": "Similarity of the texts",
    "runs": "Logit scale",
    "evaluation": "Student, zero-shot",
    "confusion": "Texts that pull",
    "journal": "What was done",
    "models": "Demo teacher",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The demo, some verdicts of one person, and a student trained on a few shots."""
    trained = Home(tmp_path_factory.mktemp("tour") / "home", ALONE)
    need_demo_weights(trained.path)
    project = open_demo(trained).id
    texts = list(current_descriptions(trained, project).groupby("class_key").head(2)["description_id"])
    record_verdicts(trained, project, texts[::2], "accept")
    record_verdicts(trained, project, texts[1::2], "reject")
    run_here(trained, create_run(trained, project, overrides=TRAINING), Event())
    return trained


@pytest.fixture(scope="module")
def server(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(home, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


@pytest.mark.parametrize("name", SHOWS)
def test_a_page_shows_the_trained_demo(name: str, page: Page, picture: Picture) -> None:
    page.open(name)
    page.until(lambda: SHOWS[name] in page.text(), f"“{SHOWS[name]}”")
    page.settle()
    picture(name)


def test_dropped_images_are_classified(page: Page, home: Home, picture: Picture) -> None:
    root = get_project(home, "ucmerced-demo").image_root
    files = [sorted((root / name).iterdir())[0] for name in ("harbor", "storagetanks", "tenniscourt")]
    page.open("predict")
    page.type('input[type="file"]', "\n".join(map(str, files)), into="where files are dropped")
    page.until(lambda: "Training images it looks like" in page.text(), "the prediction and its evidence")
    page.settle()
    picture("predict")

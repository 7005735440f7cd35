"""Pages of a project made from embeddings: they say what is not there, and none breaks."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from avion_core.actor import ALONE
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.from_features import create_from_features
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from tests.jobs_here import do_jobs_here
from tests.pages.conftest import Open, all_text
from tests.usecases.projects.test_from_features import made

PAGES = (
    "projects", "images", "classes", "journal", "writers", "review", "sheet", "decisions", "launch", "runs",
    "evaluation", "confusion", "placebo", "alignment", "predict",
)  # fmt: skip


@pytest.fixture(scope="module")
def given_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("given")
    np.savez(folder / "given.npz", **made())  # pyright: ignore[reportArgumentType]
    home = Home(folder / "home", ALONE)
    project = create_from_features(home, "given", folder / "given.npz", defaults={"data": {"shots": 4}})
    run_here(home, create_run(home, project.id, here=True), threading.Event())
    return home


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_that_there_are_no_pictures(
    open_page: Open, given_home: Home, monkeypatch: pytest.MonkeyPatch, page: str
):
    monkeypatch.setenv("AVION_HOME", str(given_home.path))
    do_jobs_here(monkeypatch)
    app = open_page(page)
    assert "This project was made from embeddings" in all_text(app)
    assert not app.exception
    assert not app.error
    assert "(cannot be read)" not in all_text(app)

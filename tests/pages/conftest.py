"""The whole app under AppTest, over a real home."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from app import sign_in
from avion_core.actor import ALONE
from avion_core.usecases.curation.label_suggestions import suggest_labels
from avion_core.usecases.insight.evaluation import evaluate_run, kept_report
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.summaries import get_project, read_manifest
from avion_core.usecases.runs.views import get_run
from tests.app.tiny_home import NAME, make_home

MAIN = Path(__file__).parents[2] / "app" / "main.py"
Open = Callable[..., AppTest]

# Each AppTest reads what every installed package says of itself, as a server does once when it starts.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Made once; tests get copies.

    As pages find a home that is in use: its run is measured on the validation images (`unmeasured` takes that away) and
    the teacher has seen all pictures, so that a page waits for neither in every test.
    """
    home = make_home(tmp_path_factory.mktemp("studio"), trained=True)
    evaluate_run(home, "latest")
    project = get_project(home, NAME).id
    suggest_labels(home, project, list(read_manifest(home, project)["image_id"]))
    return home


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    def forget() -> None:
        st.cache_resource.clear()
        st.cache_data.clear()
        sign_in.studio.cache_clear()

    forget()
    yield
    forget()


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("AVION_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home", ALONE)


@pytest.fixture
def home(trained_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    shutil.copytree(trained_home.path, tmp_path / "home")
    monkeypatch.setenv("AVION_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home", ALONE)


@pytest.fixture
def unmeasured(home: Home) -> Home:
    """The home before anybody looked at the figures of its run."""
    for report in get_run(home, "latest").folder.glob("report-*"):
        report.unlink()
    assert kept_report(home, "latest", "validation") is None
    return home


@pytest.fixture
def open_page() -> Open:
    """Open a page of the app as a browser would, and wait until no work is under way (or, not `at_rest`, do not)."""

    def open_(name: str = "projects", *, at_rest: bool = True, **query: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        app.switch_page(f"../pages/{name}.py").run()  # by its file's name, which is its address here
        app._page_hash = ""  # asked for once: where the app goes from here, it stays
        return settle(app) if at_rest else app

    return open_


def settle(app: AppTest) -> AppTest:
    """Run again until background work is done; AppTest does not tick `run_every`."""
    for _ in range(600):
        if not any("the work goes on" in caption.value for caption in app.caption):
            break
        app.run()
    assert not app.exception, app.exception[0].value
    return app


def all_text(app: AppTest) -> str:
    """Everything a person can read on the page, in one string."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "success", "text", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def card(app: AppTest) -> dict[str, Any]:
    """What the page tells the review card."""
    return next(told for told in components(app) if "items" in told)


def components(app: AppTest) -> list[dict[str, Any]]:
    """What the page tells each component's half in the browser."""
    return [json.loads(component.proto.json) for component in app.get("bidi_component")]


def send(app: AppTest, *decisions: dict[str, Any]) -> AppTest:
    """The review card's queue arrives; without the project, its decisions are of the one that is shown."""
    sender = {"component": "review_card", "reviewer": "me", "project": app.query_params["project"]}
    queue = [{"token": f"tab-{entry['seq']}", **sender, **entry} for entry in decisions]
    app.session_state["outbox"] = {"queue": queue}
    return settle(app.run())


def click(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return settle(app.run())

"""A method and a protocol of one file each, registered by a line: launched, trained and evaluated from the pages."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.methods import METHODS
from avion_core.protocols import PROTOCOLS
from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs import launching
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import CLASSES, NAME, add_project
from tests.jobs_here import do_jobs_here
from tests.pages.conftest import Open, all_text, settle
from tests.protocols.toy_transfer import Transfer

KINDS = ("selectbox", "number_input", "toggle", "text_input", "multiselect")


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "nearest", "tests.methods.toy_nearest:Nearest")
    monkeypatch.setitem(METHODS, "perceptron", "tests.methods.toy_perceptron:Perceptron")
    monkeypatch.setitem(PROTOCOLS, "transfer", Transfer())
    monkeypatch.setattr(launching, "submit", lambda home, run: None)
    do_jobs_here(monkeypatch)


def setting(app: AppTest, dotted: str) -> Any:
    return next(widget for kind in KINDS for widget in app.get(kind) if (widget.key or "").endswith(f":{dotted}"))


def start(app: AppTest, home: Home) -> str:
    """Press the button, and do what the process would that it starts."""
    settle(next(button for button in app.button if button.label == "Start now").click().run())
    run = list_runs(home, NAME)[0].id
    run_here(home, run, threading.Event())
    return run


def table(app: AppTest):
    return next(frame.value for frame in app.dataframe if "method" in frame.value.columns)


def test_a_method(unmeasured: Home, open_page: Open) -> None:
    home = unmeasured  # a report that was kept knows the methods of its day
    app = open_page("launch", look="Research")
    app = settle(setting(app, "method").set_value("perceptron").run())
    app = settle(setting(app, "options.passes").set_value(3).run())
    assert "--method perceptron" in app.code[0].value
    run = start(app, home)
    assert list_runs(home, NAME)[0].steps == 3
    app = open_page("runs", run=run)
    assert "**Mistakes**" in all_text(app)
    app = open_page("evaluation", run=run)
    rows = table(app)
    assert rows["method"].iloc[0] == "Perceptron"
    assert {"Student, nearest image", "Teacher, nearest image", "Student, class mean"} <= set(rows["method"])
    assert {"low", "high", "images"} <= set(rows.columns)
    app = open_page("evaluation", run=list_runs(home, NAME)[1].id)  # AVION's
    assert {"AVION", "Student, nearest image"} <= set(table(app)["method"])
    assert "Perceptron" not in set(table(app)["method"])  # it would have to be trained


def test_a_protocol_over_two_projects(home: Home, open_page: Open, tmp_path: Path) -> None:
    other = add_project(home, tmp_path / "other", "other", (CLASSES[0], "River"))
    app = open_page("launch", look="Research")
    app = settle(setting(app, "protocol.name").set_value("transfer").run())
    assert "measures on other projects, and none is named" in all_text(app)
    app = settle(setting(app, "protocol.projects").set_value([other]).run())
    assert f"--set protocol.projects={other}" in app.code[0].value
    run = start(app, home)
    app = open_page("evaluation", run=run)
    assert {"AVION, mean accuracy", "AVION, here", "AVION, other"} <= {metric.label for metric in app.metric}
    control = next(control for control in app.segmented_control if control.label == "View")
    for name in ("classes", "confusion", "mistakes"):
        app = settle(control.set_value(name).run())
        assert [header.value for header in app.subheader] == ["This project", "Project other"]

"""Launch and runs: settings from the models, checks before the start, and a run's whole life on the page."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.config import RunConfig
from avion_core.studio import training
from avion_core.studio.home import Home
from avion_core.studio.projects import create_project, get_project
from avion_core.studio.training import create_run, get_run, list_runs
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, settle


def press(app: AppTest, label: str) -> AppTest:
    return settle(next(button for button in app.button if button.label == label).click().run())


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs whose process would be started."""
    asked: list[str] = []
    monkeypatch.setattr(training.local, "start", lambda home, run: asked.append(run))
    return asked


def test_every_setting_is_on_the_page_with_its_help(home: Home, open_page: Open) -> None:
    app = open_page("launch")
    kinds = ("selectbox", "number_input", "toggle", "text_input")
    widgets = {widget.key.rsplit(":", 1)[-1]: widget for kind in kinds for widget in app.get(kind) if widget.key}
    stages = RunConfig().model_dump()
    settings = [
        f"{stage}.{name}" if isinstance(value, dict) else stage
        for stage, value in stages.items()
        for name in (value if isinstance(value, dict) else (stage,))
    ]
    assert set(settings) <= set(widgets)
    assert all(widgets[name].help for name in settings)


def test_a_changed_setting_is_in_the_command_and_in_the_run(home: Home, open_page: Open, started: list[str]) -> None:
    app = open_page("launch")
    widget = next(widget for widget in app.number_input if widget.key.endswith(":distillation.epochs"))
    app = settle(widget.set_value(7).run())
    assert "--epochs 7" in app.code[0].value
    app = press(app, "Start the training")
    assert app.title[0].value == "Runs"
    newest = list_runs(home, NAME)[0]
    assert started == [newest.id]
    assert newest.config.distillation.epochs == 7
    assert app.query_params["run"] == newest.id


def test_missing_weights_keep_the_run_from_starting(home: Home, open_page: Open) -> None:
    bare = create_project(home, "large models", get_project(home, NAME).image_root)
    app = open_page("launch", project=bare.id)
    text = all_text(app)
    assert "Cannot start yet" in text
    assert "are not installed" in text
    assert next(button for button in app.button if button.label == "Start the training").disabled


def test_no_runs_yet_leads_to_the_launch(home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root)
    app = open_page("runs", project=bare.id)
    assert "No training yet" in all_text(app)
    assert press(app, "Train a student").title[0].value == "Launch"


def test_a_finished_run(home: Home, open_page: Open) -> None:
    (run,) = list_runs(home, NAME)
    app = open_page("runs", run=run.id)
    values = {metric.label: metric.value for metric in app.metric}
    assert values["Epoch"] == "3"
    assert values["Validation accuracy"].endswith("%")
    assert len(app.get("plotly_chart")) == 2
    assert not {"Stop", "Kill", "Resume"} & {button.label for button in app.button}
    assert app.dataframe[0].value["state"].tolist() == ["finished"]


def test_stop_and_resume(home: Home, open_page: Open, started: list[str]) -> None:
    queued = create_run(home, NAME, name="waiting")
    app = open_page("runs", run=queued)
    assert "Curves appear with the first steps." in all_text(app)
    app = press(app, "Stop")
    assert get_run(home, queued).state == "stopped"
    app = press(app.run(), "Resume")
    assert (get_run(home, queued).state, started) == ("queued", [queued])


def test_an_unknown_run_in_the_address_shows_the_newest(home: Home, open_page: Open) -> None:
    (run,) = list_runs(home, NAME)
    app = open_page("runs", run="gone")
    assert app.query_params["run"] == run.id


def test_killing_what_has_no_process_says_the_way_out(home: Home, open_page: Open) -> None:
    queued = create_run(home, NAME, name="waiting")
    app = press(open_page("runs", run=queued), "Kill")
    assert "Resume it, or start a new one." in app.error[0].value.replace("\\", "")

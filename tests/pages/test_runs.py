"""Runs: each state on the page, what can be done in it, filters, comparison, and that nothing is stale."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.jobs.executors.local import LocalExecutor
from avion_core.jobs.process import machine_seconds, this_process
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.runs import find_run
from avion_core.store.tables import now
from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.insight.journal import journal_entries
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs import marking, training
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.views import get_run, list_runs
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, settle


def press(app: AppTest, label: str) -> AppTest:
    return settle(next(button for button in app.button if button.label == label).click().run())


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def table(app: AppTest) -> Any:
    return app.dataframe[0].value


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs whose process would be started; "queue" where the queue would be served."""
    asked: list[str] = []
    monkeypatch.setattr(LocalExecutor, "submit", lambda _, home, job: asked.append(job.id))
    monkeypatch.setattr(training.queue, "ensure_served", lambda home: asked.append("queue"))
    return asked


@pytest.fixture
def finished(home: Home) -> str:
    return list_runs(home, NAME)[0].id


@pytest.fixture
def put(home: Home):
    """A new run, with its row as given."""

    def put_(name: str, **row: Any) -> str:
        run = create_run(home, NAME, name=name)
        with writing(home.engine) as session:
            found = find_run(session, run)
            for column, value in row.items():
                setattr(found.job if hasattr(found.job, column) else found, column, value)
        return run

    return put_


HERE = {**asdict(this_process()), "submission": "here"}


def running(**more: Any) -> dict[str, Any]:
    moment = now()
    beat = {"beats": 1, "beat_clock": machine_seconds(), "heartbeat_at": moment}
    return {**HERE, **beat, "state": "running", "started_at": moment, **more}


def test_no_runs_yet_leads_to_the_launch(home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root)
    app = open_page("runs", project=bare.id)
    assert "No training yet" in all_text(app)
    assert press(app, "Train a student").title[0].value == "Launch"


def test_a_finished_run(home: Home, finished: str, open_page: Open) -> None:
    app = open_page("runs", run=finished)
    values = {metric.label: metric.value for metric in app.metric}
    assert "epoch 3 · step 6 of 6" in next(iter(app.get("progress"))).proto.text
    assert values["Validation accuracy"].endswith("%")
    assert values["Peak memory"].endswith(" GB")
    assert (values["Last heartbeat"], values["Process"]) == ("–", "–")
    assert len(app.get("plotly_chart")) == 4
    assert not {"Stop", "Kill", "Resume", "Start now"} & labels(app)
    assert {"New from this", "Pin as baseline"} <= labels(app)
    assert table(app)["state"].tolist() == ["finished"]
    assert "Stale" not in all_text(app)


def test_a_running_run(home: Home, put, open_page: Open) -> None:
    run = put("under way", **running(step=40, steps=100, stage="training", expected_end=now() + timedelta(seconds=90)))
    app = open_page("runs", run=run)
    values = {metric.label: metric.value for metric in app.metric}
    assert (values["Process"], values["Last heartbeat"].endswith("s ago")) == ("alive", True)
    assert {"Stop", "Kill"} <= labels(app)
    assert "Resume" not in labels(app)
    assert table(app).iloc[0][["state", "progress"]].tolist() == ["running", 40.0]
    assert table(app).iloc[0]["time left"] in ("1 min", "2 min")
    app = press(app, "Stop")
    assert table(app)["state"].iloc[0] == "stopping"
    assert next(button for button in app.button if button.label == "Stop").disabled


def test_a_run_in_which_nothing_moves_shows_its_last_words(home: Home, put, open_page: Open) -> None:
    run = put("stuck", **running(step=1, steps=9, stage="training"))
    folder = home.run_folder(run)
    (folder / "metrics.jsonl").write_text('{"step": 1, "epoch": 1, "loss": 2.0}\n')
    (folder / "log.txt").write_text("2026-01-01 00:00:00 waiting for a lock\n")
    os.utime(folder / "metrics.jsonl", (0, 1_700_000_000))
    app = open_page("runs", run=run)
    assert "is running, but made no step for " in app.warning[0].value
    assert "waiting for a lock" in app.warning[0].value


def test_a_waiting_run_is_started_now_or_leaves_the_queue(
    home: Home, put, open_page: Open, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = put("first"), put("second")
    app = open_page("runs", run=second)
    assert table(app)["state"].tolist()[:2] == ["waiting, 2 in the queue", "waiting, 1 in the queue"]
    assert "Curves appear with the first steps." in all_text(app)
    assert "Kill" not in labels(app)
    assert "2 runs are queued, but no queue worker is running." in app.warning[0].value
    press(app, "Start the queue worker")
    press(app, "Start now")
    assert started == ["queue", second]
    app = press(open_page("runs", run=first), "Stop")
    assert get_run(home, first).state == "stopped"
    assert "Resume" in labels(app)


def test_a_stopped_run_is_resumed(home: Home, put, open_page: Open, started: list[str]) -> None:
    run = put("waiting")
    training.stop(home, run)
    press(open_page("runs", run=run), "Resume")
    assert (get_run(home, run).state, started) == ("queued", [run])


def test_a_run_that_failed_at_its_start_shows_cause_and_log(home: Home, put, open_page: Open) -> None:
    gone = {**HERE, "pid": 2**22 + 5, "process_started": 5.0}
    run = put("broken", **gone)
    (home.run_folder(run) / "log.txt").write_text("Traceback\nImportError: no towers\n")
    app = open_page("runs", run=run)
    assert "ImportError: no towers" in app.error[0].value.replace("\\", "")
    assert any("ImportError: no towers" in code.value for code in app.code)
    assert table(app)["state"].iloc[0] == "failed"
    assert "Resume" in labels(app)


def test_a_run_whose_process_is_gone_is_never_shown_as_running(home: Home, put, open_page: Open) -> None:
    run = put("gone", **running(pid=2**22 + 5))
    app = open_page("runs", run=run)
    assert table(app)["state"].iloc[0] == "lost"
    assert "Resume it from the last checkpoint" in app.error[0].value.replace("\\", "")
    assert "Resume" in labels(app)


def test_killing_what_has_gone_meanwhile_gives_a_hint(home: Home, put, open_page: Open) -> None:
    app = open_page("runs", run=put("under way", **running(host="far-away")))
    app = press(app, "Kill")
    assert "Stop it, or kill it on that machine" in app.error[0].value.replace("\\", "")


def test_an_unknown_run_in_the_address_shows_the_newest(finished: str, open_page: Open) -> None:
    assert open_page("runs", run="gone").query_params["run"] == finished


def test_a_filter_in_the_address_does_not_keep_one_on_the_page(finished: str, open_page: Open) -> None:
    app = open_page("runs", run_states="finished")
    app = next(button for button in app.button if button.label == "New from this").click().run()
    assert not app.exception
    assert app.title[0].value == "Launch"
    assert "run_states" not in app.query_params


def test_filters_live_in_the_address(home: Home, put, open_page: Open) -> None:
    put("one more")
    assert len(table(open_page("runs"))) == 2
    assert table(open_page("runs", run_states="finished"))["state"].tolist() == ["finished"]
    assert table(open_page("runs", run_words="one more"))["name"].tolist() == ["one more"]
    app = open_page("runs", run_words="zebra")
    assert "No run passes these filters." in all_text(app)
    app = next(button for button in app.button if button.label == "Clear the filters").click().run()
    assert "No run passes these filters." not in all_text(app)
    assert app.text_input(key="run_words").value == ""


def test_the_baseline_is_pinned_and_its_pin_taken_off(home: Home, finished: str, open_page: Open) -> None:
    app = press(open_page("runs", run=finished), "Pin as baseline")
    assert get_project(home, NAME).baseline_run == finished
    assert table(app)["role"].tolist() == ["baseline"]
    press(app, "Unpin")
    assert get_project(home, NAME).baseline_run is None


def test_renaming_and_deleting(home: Home, finished: str, put, open_page: Open) -> None:
    marking.pin_baseline(home, NAME, finished)
    waiting = put("waits")
    assert "Delete permanently" not in labels(open_page("runs", run=waiting))
    app = open_page("runs", run=finished)
    app = settle(next(field for field in app.text_input if field.label == "Name").set_value("the first").run())
    app = press(app, "Save the name")
    assert get_run(home, finished).name == "the first"
    app = press(app, "Delete permanently")
    assert [run.id for run in list_runs(home, NAME)] == [waiting]
    assert not home.run_folder(finished).exists()
    assert get_project(home, NAME).baseline_run is None
    assert journal_entries(home, NAME)[0].sentence == f"Deleted: the first ({finished})."


def test_two_runs_are_compared(home: Home, finished: str, open_page: Open) -> None:
    """A second run with another rate, its student the same."""
    other = create_run(home, NAME, name="faster", overrides={"distillation.learning_rate": 0.01})
    for name in ("adapter.safetensors", "teacher.safetensors", "metrics.jsonl"):
        shutil.copy(home.run_folder(finished) / name, home.run_folder(other) / name)
    with writing(home.engine) as session:
        run = find_run(session, other)
        run.job.state, run.step, run.steps, run.accuracy = "finished", 6, 6, 100.0
    for measured in (finished, other):
        evaluate_run(home, measured)
    app = open_page("runs", run=other, beside=finished)
    assert len(table(app)) == 2
    differing = app.dataframe[1].value
    assert differing["setting"].tolist() == ["distillation.learning_rate"]
    assert differing[["faster", "a finished run"]].iloc[0].tolist() == ["0.01", "0.005"]
    assert "+0.0 points** against a finished run on the same" in all_text(app)
    assert len(app.get("plotly_chart")) == 5
    assert "Report to hand over" in [button.proto.label for button in app.get("download_button")]
    assert "Stop" not in labels(app)


def test_runs_beside_each_other_are_in_the_address(home: Home, finished: str, put, open_page: Open) -> None:
    waiting = put("waits")
    app = open_page("runs", run=finished, beside=waiting)
    assert (app.query_params["run"], app.query_params["beside"]) == (finished, waiting)
    assert "Select two finished runs." in all_text(app)

"""Evaluation over a really trained student: every view, both splits, what is missing."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
import streamlit as st
from streamlit.proto.Metric_pb2 import Metric
from streamlit.testing.v1 import AppTest

from app.state import door
from avion_core.actor import Actor
from avion_core.errors import AvionError
from avion_core.jobs.executors import EXECUTORS, local
from avion_core.jobs.executors.local import LocalExecutor
from avion_core.store.database import writing
from avion_core.store.projects import find_project
from avion_core.usecases.insight.evaluation import kept_report, looks
from avion_core.usecases.insight.measuring import evaluation_job
from avion_core.usecases.installation.home import Home
from avion_core.usecases.job_control import list_jobs
from avion_core.usecases.jobs import get_job
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import get_project
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import get_run, list_runs
from avion_core.usecases.transfer.capsule.making import capsule_bytes
from tests.app.tiny_home import CLASSES, NAME, add_project
from tests.jobs_here import do_jobs_here
from tests.pages.conftest import Open, all_text, settle


@pytest.fixture(autouse=True)
def jobs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    do_jobs_here(monkeypatch)


def charts(app: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def view(app: AppTest, name: str) -> AppTest:
    control = next(control for control in app.segmented_control if control.label == "View")
    return settle(control.set_value(name).run())


def test_without_a_student_the_launch_is_one_button_away(home: Home, open_page: Open) -> None:
    bare = create_project(home, "bare", get_project(home, NAME).image_root)
    app = open_page("evaluation", project=bare.id)
    assert "No finished training yet" in all_text(app)
    app = next(button for button in app.button if button.label == "Train a student").click().run()
    assert app.title[0].value == "Launch"


def test_it_is_on_validation_until_the_test_set_is_opened(home: Home, open_page: Open) -> None:
    app = open_page("evaluation")
    assert {"AVION", "Macro accuracy", "Macro F1"} <= {metric.label for metric in app.metric}
    assert list_runs(home, NAME)[0].looks == 0
    app = settle(app.toggle[0].set_value(True).run())
    assert {metric.label: metric.value for metric in app.metric}["Looks at the test set"] == "1"
    looked = next(frame.value for frame in app.dataframe if "who" in frame.value.columns)
    assert looked["who"].tolist() == ["me"]
    settle(app.run())
    assert list_runs(home, NAME)[0].looks == 1  # drawing the page again is no new look
    rows = next(frame.value for frame in app.dataframe if "method" in frame.value.columns)
    assert {"AVION", "Student, zero-shot", "Student, class mean", "Teacher, zero-shot"} <= set(rows["method"])
    assert "paper" not in rows.columns  # no published data set, no published pair


@pytest.mark.parametrize(
    ("wrong", "said", "coloured"),
    [(1, "not distinguishable from zero-shot", False), (12, "+100.0 on zero-shot", True)],
)
def test_only_a_gain_that_is_more_than_chance_has_a_colour(
    wrong: int, said: str, coloured: bool, home: Home, open_page: Open
) -> None:
    """Twelve images that the student gets right, of which its zero-shot gets one or all wrong."""
    run = get_run(home, "latest")
    report = kept_report(home, run.id, "validation")
    assert report is not None
    keys = report.parts[0].classes
    rows = pd.DataFrame({"image_id": [str(n) for n in range(12)], "class_key": [keys[n % 3] for n in range(12)]})
    rows = rows.assign(part="all", probability=0.9, true_probability=0.9, predicted=rows["class_key"])
    other = [keys[(n + 1) % 3] if n < wrong else keys[n % 3] for n in range(12)]
    said_of = [rows.assign(method="avion", model="student")]
    said_of.append(rows.assign(method="zero_shot", model="student", predicted=other))
    figures = report.figures.assign(n=12)
    zero_shot = (figures["method"] == "zero_shot") & (figures["metric"] == "accuracy")
    figures.loc[figures["metric"] == "accuracy", "value"] = 100.0
    figures.loc[zero_shot, "value"] = 100 * (12 - wrong) / 12
    replace(report, figures=figures, predictions=pd.concat(said_of)).save(run.folder)
    metric = next(metric for metric in open_page("evaluation").metric if metric.label == "AVION")
    assert said in metric.delta
    assert (metric.proto.color == Metric.MetricColor.GREEN) is coloured
    assert metric.proto.help.startswith("12 of 12 right, 95 % interval")


def test_a_report_to_hand_over_is_offered_with_its_figures(home: Home, open_page: Open) -> None:
    buttons = {button.proto.label: button.proto for button in open_page("evaluation").get("download_button")}
    assert {"Report to hand over", "Its figures"} <= set(buttons)


def test_a_capsule_is_offered_to_who_may_take_a_project_out(home: Home, open_page: Open, monkeypatch) -> None:
    def offered() -> bool:
        buttons = {button.proto.label: button.proto for button in open_page("evaluation").get("download_button")}
        return not buttons["Publication capsule"].disabled

    assert offered()
    with ZipFile(io.BytesIO(capsule_bytes(home, [list_runs(home, NAME)[0].id]))) as archive:
        assert {"capsule.json", "methods.md", "tables/validation.md"} <= set(archive.namelist())
    monkeypatch.setattr(door, "actor", lambda: Actor("me", "reviewer"))
    assert not offered()


def test_only_who_may_unseal_the_test_set_is_offered_to(home: Home, open_page: Open, monkeypatch) -> None:
    monkeypatch.setattr(door, "actor", lambda: Actor("me", "reviewer"))
    app = open_page("evaluation")
    assert app.toggle[0].disabled
    app.session_state[str(app.toggle[0].key)] = True  # a browser can send it all the same
    app = settle(app.run())
    assert app.error[0].value.startswith("Ask an admin")
    assert list_runs(home, NAME)[0].looks == 0


@pytest.mark.usefixtures("unmeasured")
def test_validation_figures_are_kept_between_servers(home: Home, open_page: Open, monkeypatch) -> None:
    open_page("evaluation")
    run = list_runs(home, NAME)[0].id
    assert kept_report(home, run, "validation") is not None

    def never(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    st.cache_resource.clear()
    monkeypatch.setattr("avion_core.protocols.harness.evaluate", never)
    assert {"AVION"} <= {metric.label for metric in open_page("evaluation").metric}


@pytest.mark.usefixtures("unmeasured")
def test_over_shots_says_which_runs_are_missing_and_leads_to_the_launch(home: Home, open_page: Open) -> None:
    second = create_run(home, NAME, overrides={"data.shots": 2, "data.seed": 2})
    run_here(home, second, threading.Event())
    app = view(open_page("evaluation"), "protocol")
    table = next(frame.value for frame in app.dataframe if "deviation" in frame.value.columns)
    avion = table[table["method"] == "AVION"]
    assert avion[["shots", "seeds"]].values.tolist() == [[2, 2]]
    assert avion["deviation"].notna().all()
    text = all_text(app)
    assert "1-shot, seed 1" in text
    assert "2-shot, seed 3" in text
    assert "2-shot, seed 2" not in text
    assert "1 finished run has not been evaluated" in text
    app = settle(next(button for button in app.button if button.label == "Evaluate now").click().run())
    assert "not measured" not in all_text(app)
    table = next(frame.value for frame in app.dataframe if "deviation" in frame.value.columns)
    assert set(table["seeds"]) == {2}
    app = next(button for button in app.button if button.label == "Train them").click().run()
    assert app.title[0].value == "Launch"


def test_base_to_novel_has_its_table_and_its_parts(home: Home, open_page: Open, tmp_path: Path) -> None:
    project = add_project(home, tmp_path / "four", "four", (*CLASSES, "River"))
    run = create_run(home, project, overrides={"protocol.name": "base-to-novel"})
    run_here(home, run, threading.Event())
    app = open_page("evaluation", project=project, run=run)
    assert {"AVION, harmonic mean", "AVION, base", "AVION, novel"} <= {metric.label for metric in app.metric}
    app = view(app, "protocol")
    table = next(frame.value for frame in app.dataframe if "seed" in frame.value.columns)
    assert table["seed"].tolist() == ["1", "mean"]
    assert "2-shot, seed 2" in all_text(app)
    for name in ("classes", "change", "confusion", "mistakes", "calibration"):
        app = view(app, name)
        among_all = ["Base classes, among all", "Novel classes, among all"]
        assert [header.value for header in app.subheader] == ["Base classes", "Novel classes", *among_all]


def test_a_confusion_cell_opens_its_pictures(home: Home, open_page: Open) -> None:
    app = view(open_page("evaluation"), "confusion")
    run = list_runs(home, NAME)[0]
    figures = kept_report(home, run.id, "validation")
    assert figures is not None
    matrix = f"{run.id}:validation:all"
    keys, rows = figures.parts[0].classes, figures.said("all")
    for number, (true, said) in enumerate((t, s) for t in keys for s in keys):
        app.session_state[f"chart_{matrix}"] = {"selection": {"points": [{"customdata": number}]}}
        session_state_click(app, matrix, keys)
        app = settle(app.run())
        count = sum((rows["class_key"] == true) & (rows["predicted"] == said))
        pictures = [c.value for c in app.caption if re.fullmatch(rf"{said_name(home, said)} \d+%", c.value)]
        assert len(pictures) == count, (true, said)
        assert app.selectbox(key=f"cell_{matrix}").value == (true, said)


def session_state_click(app: AppTest, matrix: str, keys: list[str]) -> None:
    """What the chart's callback does with a click; AppTest cannot click a chart."""
    points = app.session_state[f"chart_{matrix}"]["selection"]["points"]
    number = points[0]["customdata"]
    app.session_state["_confusion_cell"] = (matrix, (keys[number // len(keys)], keys[number % len(keys)]))
    del app.session_state[f"chart_{matrix}"]


def said_name(home: Home, key: str) -> str:
    return next(entry.prompt_name for entry in get_project(home, NAME).classes if entry.key == key)


def test_change_against_zero_shot_and_against_a_pinned_run(home: Home, open_page: Open) -> None:
    app = view(open_page("evaluation"), "change")
    assert "against the student's zero-shot on the same" in all_text(app)
    assert len(charts(app)[-1]["data"][0]["y"]) == len(CLASSES)

    shorter = create_run(home, NAME, overrides={"distillation.epochs": 1}, name="one epoch")
    run_here(home, shorter, threading.Event())
    with writing(home.engine) as session:
        find_project(session, NAME).baseline_run = shorter
    app = view(open_page("evaluation", run=list_runs(home, NAME)[1].id), "change")
    assert "against the baseline “one epoch” on the same 3 images" in all_text(app)
    app = settle(app.segmented_control(key=f"against_{list_runs(home, NAME)[1].id}_all").set_value("").run())
    assert "against the student's zero-shot on the same 3 images" in all_text(app)


@pytest.mark.parametrize(("name", "expected"), [("classes", "Class by class"), ("calibration", "dotted line")])
def test_the_other_views(name: str, expected: str, home: Home, open_page: Open) -> None:
    assert expected in all_text(view(open_page("evaluation"), name))


def test_worst_mistakes_are_pictures_the_surest_first(home: Home, open_page: Open) -> None:
    app = view(open_page("evaluation"), "mistakes")
    figures = kept_report(home, list_runs(home, NAME)[0].id, "validation")
    assert figures is not None
    rows = figures.said("all")
    wrong = sorted(rows.loc[~rows["correct"], "probability"], reverse=True)
    shown = [int(found[1]) for c in app.caption if (found := re.search(r"→ .* \((\d+)%\)$", c.value))]
    assert shown == [round(100 * probability) for probability in wrong]
    assert wrong or "No mistake" in all_text(app)


@pytest.mark.usefixtures("unmeasured")
def test_no_validation_images_is_a_sentence_with_a_hint(home: Home, open_page: Open, monkeypatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise AvionError("there are no validation images of these classes", "Label more images.")

    monkeypatch.setattr("avion_core.protocols.harness.evaluate", nothing)
    app = open_page("evaluation")
    assert (app.error[0].value, app.error[0].proto.title) == (
        "There are no validation images of these classes. Label more images.",
        "The figures could not be made",
    )
    monkeypatch.undo()
    with pytest.MonkeyPatch.context() as patch:
        do_jobs_here(patch)
        patch.setenv("AVION_HOME", str(home.path))
        app = settle(
            next(button for button in open_page("evaluation").button if button.label == "Try again").click().run()
        )
    assert "AVION" in {metric.label for metric in app.metric}


def test_a_look_of_another_person_is_another_look(home: Home, open_page: Open, monkeypatch) -> None:
    def figures(*_: object, **__: object) -> None:
        raise AvionError("the figures do not matter here", "Count the looks.")

    monkeypatch.setattr("avion_core.protocols.harness.evaluate", figures)
    for who in ("ana", "ben"):
        monkeypatch.setattr(door, "actor", lambda who=who: Actor(who, "admin"))
        settle(open_page("evaluation").toggle[0].set_value(True).run())
    assert set(looks(home, "latest")["who"]) == {"ana", "ben"}


@pytest.mark.usefixtures("unmeasured")
def test_a_measuring_under_way_has_its_panel_and_can_be_stopped(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXECUTORS, "local", LocalExecutor())
    monkeypatch.setattr(local, "WORKER", (sys.executable, "-c", "import time; time.sleep(600)"))
    app = open_page("evaluation", at_rest=False)
    assert "Evaluating on the validation images" in all_text(app)
    again = open_page("evaluation", at_rest=False)  # another browser finds the same job
    assert "Evaluating on the validation images" in all_text(again)
    job = evaluation_job(home, ["latest"])
    assert job is not None
    assert list_jobs(home, kinds=("evaluation",)).found == 1
    next(button for button in app.button if button.label == "Stop").click().run()
    for child in local._children.values():  # it takes no message before it has begun
        child.kill()
        child.wait()
    assert get_job(home, job.id).state == "stopped"
    app = open_page("evaluation", at_rest=False)
    assert "The figures could not be made" in [error.proto.title for error in app.error]
    assert "Try again" in [button.label for button in app.button]

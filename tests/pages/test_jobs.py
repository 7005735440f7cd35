"""Jobs: every kind in one list, one of them with what it was asked for, what came of it, and what can be done."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.actor import ALONE
from avion_core.jobs.kinds import KINDS
from avion_core.store.database import writing
from avion_core.store.tables import Job, now
from avion_core.usecases.installation.home import Home
from avion_core.usecases.job_control import list_jobs
from avion_core.usecases.jobs import get_job
from tests.jobs.toy_counting import COUNTING
from tests.jobs_here import do_jobs_here
from tests.pages.conftest import Open, all_text, settle


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of one file, registered by a line, and done in this process."""
    monkeypatch.setitem(KINDS, COUNTING.name, COUNTING)
    do_jobs_here(monkeypatch)


def press(app: AppTest, label: str) -> AppTest:
    return settle(next(button for button in app.button if button.label == label).click().run())


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button if not button.disabled}


def put(home: Home, **columns: object) -> str:
    with writing(home.engine) as session:
        job = Job(**{"kind": "counting", "request": {"images": 2}, "created_at": now(), **columns})
        session.add(job)
    return job.id


def values(app: AppTest, name: str) -> dict[str, str]:
    """What was asked for and what came of it: the tables of names and values."""
    tables = [frame.value for frame in app.dataframe if "value" in frame.value.columns]
    return {row["name"]: row["value"] for table in tables for row in table.to_dict("records")}[name]


def test_a_kind_without_a_page_is_started_here(home: Home, open_page: Open) -> None:
    app = open_page("jobs")
    assert set(app.selectbox(key="start_kind").options) == {"counting"}
    app = settle(app.text_input(key="start_counting:images").set_value("many").run())
    app = press(app, "Start")
    assert "unable to parse string as an integer" in all_text(app)
    app = settle(app.text_input(key="start_counting:images").set_value("3").run())
    app = press(app, "Start")
    job = list_jobs(home).rows[0]
    assert (job.kind, job.state, job.result) == ("counting", "finished", {"counted": 3})
    assert app.query_params["job"] == job.id
    assert (values(app, "images"), values(app, "counted")) == ("3", "3")
    assert "takes the job, attempt 1" in all_text(app)


def test_without_a_kind_to_start_there_is_no_form(home: Home, open_page: Open, monkeypatch) -> None:
    monkeypatch.delitem(KINDS, "counting")
    assert "Start" not in labels(open_page("jobs"))


def test_a_stopped_job_is_resumed(home: Home, open_page: Open) -> None:
    job = put(home, state="stopped")
    app = open_page("jobs", job=job)
    app = press(app, "Resume")
    assert get_job(home, job).state == "finished"
    assert "Resume" not in labels(app)


def test_a_job_that_waits_is_stopped(home: Home, open_page: Open) -> None:
    job = put(home)
    app = open_page("jobs", job=job, at_rest=False)
    assert {"Stop"} <= labels(app)
    assert "Kill" not in labels(app)  # it has no process
    next(button for button in app.button if button.label == "Stop").click().run()
    assert get_job(home, job).state == "stopped"


def test_somebody_elses_job_is_not_a_reviewers_to_stop(home: Home, open_page: Open, monkeypatch) -> None:
    from app.state import visitor
    from avion_core.actor import Actor

    job = put(home, who="ana", request={"file": "/home/ana/private/weights.pt"})
    assert "/home/ana/private" in str([frame.value for frame in open_page("jobs", job=job, at_rest=False).dataframe])
    monkeypatch.setattr(visitor, "signed_in", lambda: Actor("ben", "reviewer"))
    app = open_page("jobs", job=job, at_rest=False)
    assert "Stop" not in labels(app)
    assert ALONE.name != "ana"
    assert "/home/ana/private" not in str([frame.value for frame in app.dataframe]) + all_text(app)


def test_long_lists_come_by_pages_and_kinds(home: Home, open_page: Open) -> None:
    for _ in range(60):
        put(home, state="finished")
    app = open_page("jobs")
    assert len(app.dataframe[0].value) == 25
    app = settle(app.number_input(key="jobs_page").set_value(3).run())
    last = app.dataframe[0].value
    assert len(last) == list_jobs(home).found - 50
    assert last["kind"].tolist()[-1] == "training"
    app = open_page("jobs", job_kinds="training")
    assert set(app.dataframe[0].value["kind"]) == {"training"}
    assert "job_kinds" in app.query_params


def test_an_empty_studio_leads_to_the_launch(empty_home: Home, open_page: Open) -> None:
    assert "No job yet" in all_text(open_page("jobs"))

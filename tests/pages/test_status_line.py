"""The sidebar of every page says what is computed, stops it, and tells its end."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.jobs.process import machine_seconds, this_process
from avion_core.store.database import writing
from avion_core.store.tables import Job, now
from avion_core.usecases.installation.home import Home
from avion_core.usecases.jobs import get_job
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.summaries import get_project, project_names
from tests.pages.conftest import Open, components


def put(home: Home, **columns: object) -> str:
    """A job of the home's first project."""
    project = next(iter(project_names(home)))
    known = {"kind": "mapping", "request": {}, "created_at": now(), "project_id": project, "lane": "cpu"}
    with writing(home.engine) as session:
        job = Job(**{**known, **columns})
        session.add(job)
    return job.id


def under_way(home: Home, **columns: object) -> str:
    moment = now()
    beat = {"heartbeat_at": moment, "beat_clock": machine_seconds(), "started_at": moment, "attempt": 1}
    return put(home, **{**asdict(this_process()), **beat, "submission": "here", "state": "running", **columns})


def end(home: Home, job: str, state: str) -> None:
    with writing(home.engine) as session:
        session.get_one(Job, job).state = state


def said(app: AppTest) -> str:
    return "\n".join(str(element.value) for kind in ("markdown", "caption") for element in app.sidebar.get(kind))


def press(app: AppTest, key: str) -> AppTest:
    return next(button for button in app.sidebar.button if button.key == key).click().run()


def test_nothing_is_said_where_nothing_goes_on(home: Home, open_page: Open) -> None:
    app = open_page("journal")
    assert said(app) == ""
    assert not app.sidebar.button


@pytest.mark.parametrize("page", ["projects", "journal", "models"])
def test_every_page_says_what_goes_on_and_how_far_it_is(home: Home, open_page: Open, page: str) -> None:
    under_way(home, done=40, total=100, what="epochs", expected_end=now() + timedelta(seconds=90))
    put(home, kind="writing", state="queued", done=0, total=0)
    app = open_page(page)
    assert "**Computing a map**" in said(app)
    assert "at 40 %, about " in said(app)
    assert said(app).index("Computing a map") < said(app).index("**Writing descriptions**")
    assert said(app).endswith(":small[waiting]")


def test_of_many_jobs_those_at_work_are_shown_and_the_others_counted(home: Home, open_page: Open) -> None:
    for _ in range(5):
        put(home, state="queued")
    under_way(home, kind="evaluation")
    app = open_page("journal")
    assert said(app).startswith("**Evaluating a student**")
    assert said(app).endswith("and 4 jobs more")


def test_the_project_is_named_where_it_is_another(home: Home, open_page: Open) -> None:
    other = create_project(home, "another", get_project(home, next(iter(project_names(home)))).image_root)
    under_way(home)
    assert "tiny" not in said(open_page("journal", project=next(iter(project_names(home)))))
    assert "running · tiny" in said(open_page("journal", project=other.id))


def test_a_job_is_stopped_from_any_page(home: Home, open_page: Open) -> None:
    job = put(home, state="queued")
    app = press(open_page("journal"), f"status_stop_{job}")
    assert get_job(home, job).state == "stopped"
    assert "Computing a map · stopped" in said(app)


@pytest.mark.parametrize("state", ["finished", "failed", "lost"])
def test_its_end_is_told_once_and_stays_until_it_is_dismissed(home: Home, open_page: Open, state: str) -> None:
    job = under_way(home)
    app = open_page("journal")
    end(home, job, state)
    app = app.run()
    assert [toast.value for toast in app.toast] == [f"Computing a map · {state}"]
    assert next(told["ended"] for told in components(app) if "ended" in told) == [[job, f"Computing a map · {state}"]]
    app = app.run()
    assert not app.toast
    assert f"Computing a map · {state}" in said(app)
    assert said(press(app, f"forget_{job}")) == ""


def test_another_tab_does_not_tell_the_end_of_what_it_never_saw(home: Home, open_page: Open) -> None:
    end(home, under_way(home), "finished")
    assert said(open_page("journal")) == ""


def test_its_end_leads_to_it(home: Home, open_page: Open) -> None:
    job = under_way(home)
    app = open_page("journal")
    end(home, job, "finished")
    app = press(app.run(), f"see_end_{job}")
    assert app.query_params["job"] == job
    assert app.title[0].value == "Jobs"

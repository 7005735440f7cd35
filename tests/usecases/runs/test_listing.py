"""Runs by pages: every run on one page, found by its words, counted by status, with its place in line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from avion_core.config import RunConfig
from avion_core.errors import ConfigError, NotFoundError
from avion_core.store.database import writing
from avion_core.store.tables import Job, Look, Run, now
from avion_core.usecases.jobs import MOST_LISTED
from avion_core.usecases.runs.listing import known_runs, page_of_runs
from avion_core.usecases.runs.views import list_runs


@pytest.fixture
def many(home, described) -> list[str]:
    """Nine runs of the project, the oldest first: three wait."""
    moment, ids = now(), []
    with writing(home.engine) as session:
        for number in range(9):
            state = "queued" if number < 3 else "finished"
            made = moment + timedelta(seconds=number)
            job = Job(id=f"run{number}", kind="training", project_id=described.id, state=state, created_at=made)
            config = RunConfig.model_validate({"data": {"shots": 2 ** (number % 3)}, "method": "class_mean"})
            run = Run(job=job, id=job.id, project_id=described.id, name=f"number {number}", rule_version=1)
            run.config = config.model_dump(mode="json")
            session.add(run)
            ids.append(job.id)
        session.flush()
        session.add_all(Look(run_id="run4", who="me") for _ in range(2))
    return ids


@pytest.mark.parametrize("limit", [1, 4, 9, 50])
def test_pages_hold_what_the_whole_list_holds(home, described, many, limit):
    first = page_of_runs(home, "scenes", limit=limit)
    pages = [page_of_runs(home, "scenes", limit=limit, page=page) for page in range(1, first.pages + 1)]
    assert [run for page in pages for run in page.rows] == list_runs(home, "scenes")
    assert known_runs(home, "scenes") == many[::-1]
    assert (first.found, first.statuses) == (9, {"waiting": 3, "finished": 6})
    assert first.places == {"run0": 1, "run1": 2, "run2": 3}
    assert {run.id: run.looks for page in pages for run in page.rows}["run4"] == 2
    assert page_of_runs(home, limit=limit, page=99).rows == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", 9),
        ("NUMBER 7", 1),
        ("run3", 1),
        ("shots 4 waiting", 0),
        ("class_mean run5", 1),
        ("mean of few-shot", 0),
        ("few-shot class", 9),
        ("georsclip", 9),
    ],
)
def test_a_search_looks_through_all_pages(home, described, many, words, found):
    page = page_of_runs(home, "scenes", words=words, limit=2)
    assert (page.found, len(page.rows)) == (found, min(2, found))
    assert page.pages == max(1, -(-found // 2))


def test_a_status_is_asked_for(home, described, many):
    assert [run.id for run in page_of_runs(home, statuses=("waiting",)).rows] == ["run2", "run1", "run0"]
    assert page_of_runs(home, statuses=("waiting",), words="run1").found == 1


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": MOST_LISTED + 1}, {"page": 0}, {"page": -1}])
def test_a_page_that_cannot_be_is_refused(home, described, asked):
    with pytest.raises(ConfigError):
        page_of_runs(home, **asked)
    with pytest.raises(NotFoundError):
        page_of_runs(home, "nobody")

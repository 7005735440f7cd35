"""Pages of jobs and runs: every row on one page, in order, and counted under one status."""

from __future__ import annotations

from datetime import timedelta

import pytest

from avion_core.actor import ALONE
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.listing import (
    STATUSES,
    Listed,
    count_kinds,
    count_statuses,
    jobs_page,
    looks_of,
    run_ids,
    run_words,
    runs_page,
)
from avion_core.store.tables import Job, Look, Project, Run, now

COLUMNS = {
    "waiting": {"state": "queued"},
    "starting": {"state": "queued", "submission": "x"},
    "running": {"state": "running", "submission": "x"},
    "stopping": {"state": "running", "submission": "x", "stop_asked": True},
    **{state: {"state": state} for state in ("stopped", "finished", "failed", "lost")},
}


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """Two projects with a training of every status each, and a map that was made in the same moment."""
    monkeypatch.delenv("AVION_DATABASE_URL", raising=False)
    home, moment = Home(tmp_path / "home", ALONE), now()
    with writing(home.engine) as session:
        for number, name in enumerate(("here", "there")):
            session.add(
                Project(
                    id=name, name=name, image_root="/", modality="rgb", teacher="", student="", recipe={}, defaults={}
                )
            )
            session.flush()
            for place, (status, columns) in enumerate(COLUMNS.items()):
                key, made = f"{number}{status}", moment + timedelta(seconds=place)
                job = Job(id=key, kind="training", project_id=name, created_at=made, **columns)
                session.add(Run(job=job, id=key, project_id=name, name=status, config={"seed": place}, rule_version=1))
                session.add(Job(id=f"m{key}", kind="mapping", project_id=name, created_at=made, **columns))
        session.flush()
        session.add_all(Look(run_id=run, who="me") for run in ("0finished", "0finished", "1lost"))
    return home


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_every_row_is_on_one_page(home, limit):
    listed = Listed(project_id="here")
    with reading(home.engine) as session:
        pages = [jobs_page(session, listed, limit, page) for page in range(1, 18)]
        runs = [runs_page(session, Listed(("training",), project_id="here"), limit, page) for page in range(1, 18)]
        assert [run.id for page in runs for run in page] == run_ids(session, listed)
    found = [job.id for page in pages for job in page]
    assert found == [f"{kind}0{status}" for status in reversed(COLUMNS) for kind in ("", "m")]
    assert max(map(len, pages)) == min(limit, 16)


@pytest.mark.parametrize("status", STATUSES)
def test_a_job_has_one_status(home, status):
    with reading(home.engine) as session:
        found = jobs_page(session, Listed(statuses=(status,)), 100, 1)
        assert {job.id[-len(status) :] for job in found} == {status}
        assert len(found) == 4
        assert count_statuses(session, Listed(("training",), (status,))) == {status: 2}


def test_statuses_and_kinds_are_counted_over_all_pages(home):
    with reading(home.engine) as session:
        assert count_statuses(session, Listed(project_id="there")) == dict.fromkeys(COLUMNS, 2)
        assert count_kinds(session, Listed()) == {"mapping": 16, "training": 16}
        assert count_kinds(session, Listed(("training",), ("lost", "failed"), "here")) == {"training": 2}
        assert count_statuses(session, Listed(("evaluation",))) == {}
        assert jobs_page(session, Listed(statuses=("asleep",)), 9, 1) == []


def test_looks_are_counted_for_a_page_or_for_all(home):
    with reading(home.engine) as session:
        assert looks_of(session) == {"0finished": 2, "1lost": 1}
        assert looks_of(session, ["1lost", "0lost"]) == {"1lost": 1}
        words = list(run_words(session, Listed(statuses=("finished",))))
    assert words == [("0finished", "finished", {"seed": 5}), ("1finished", "finished", {"seed": 5})]

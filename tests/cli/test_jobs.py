"""Jobs of every kind by command; a kind of one file is started, watched and resumed without another change."""

from __future__ import annotations

import pytest

from avion_core.jobs.kinds import KINDS
from avion_core.store.database import writing
from avion_core.store.tables import Job
from tests.jobs.toy_counting import COUNTING
from tests.jobs_here import do_jobs_here


@pytest.fixture(autouse=True)
def counting(monkeypatch) -> None:
    monkeypatch.setitem(KINDS, COUNTING.name, COUNTING)
    do_jobs_here(monkeypatch)


def put(home, **columns) -> str:
    with writing(home.engine) as session:
        job = Job(**{"kind": "counting", "request": {"images": 2}, **columns})
        session.add(job)
    return job.id


def test_a_kind_in_one_file_is_started_and_watched(answer, avion, scenes):
    job = answer("jobs", "start", "counting", "--set", "images=3", "--project", "scenes")["job_id"]
    shown = answer("jobs", "show", job[:6])
    assert (shown["status"], shown["request"], shown["result"]) == ("finished", {"images": 3}, {"counted": 3})
    assert (home_of(scenes, job) / "sum.txt").read_text() == "3"
    assert answer("jobs", "log", "latest", "--lines", "1")["lines"][0].endswith("finished")
    listed = answer("jobs", "list", "--project", "scenes", "--kind", "counting")
    assert [row["id"] for row in listed["jobs"]] == [job]
    assert (listed["found"], listed["page"], listed["pages"]) == (1, 1, 1)
    assert "counting" in avion("jobs", "list").stdout
    assert "counted" in avion("jobs", "show", job).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "counting"), "The setting images is missing. Give it as images=VALUE."),
        (("start", "counting", "--set", "images=-1"), "The setting images cannot be used: -1."),
        (("start", "counting", "--set", "images"), "A setting must be KEY=VALUE: images."),
        (("start", "training"), "This kind of job has a command of its own: training. Use avion train."),
        (("start", "knitting"), "There is no such kind of job: knitting. Kinds: "),
        (("show", "nobody"), "There is no such job: nobody."),
        (("show", "latest"), "There is no job yet."),
        (("list", "--page", "0"), "There is no such page: 0. Pages are counted from 1."),
        (("list", "--limit", "0"), "A page cannot have so many rows: 0. Choose a limit from 1 to 1,000."),
    ],
)
def test_what_cannot_be_done_is_said(avion, scenes, words, said):
    result = avion("jobs", *words)
    assert result.exit_code in (1, 2)
    assert result.stderr.startswith(said)


def test_a_job_that_waits_is_stopped_and_resumed(answer, avion, scenes):
    job = put(scenes)
    assert answer("jobs", "list", "--status", "waiting")["found"] == 1
    answer("jobs", "stop", job)
    assert "has already ended" in avion("jobs", "stop", job).stderr
    assert "no process that could be killed" in avion("jobs", "kill", job).stderr
    assert answer("jobs", "resume", job) == {"job_id": job, "waiting": False}
    assert answer("jobs", "show", job)["status"] == "finished"
    assert "cannot be resumed: finished. Start a new one." in avion("jobs", "resume", job).stderr


def test_a_long_list_comes_by_pages(answer, avion, scenes):
    every = {put(scenes, state="finished") for _ in range(5)}
    pages = [answer("jobs", "list", "--limit", "2", "--page", page) for page in (1, 2, 3, 4)]
    assert [len(page["jobs"]) for page in pages] == [2, 2, 1, 0]
    assert {row["id"] for page in pages for row in page["jobs"]} == every
    assert (
        "Page 2 of 3, 5 in all; see --page and --limit." in avion("jobs", "list", "--limit", "2", "--page", "2").stdout
    )
    assert avion("jobs", "list", "--page", "9").stdout == "No such job.\n"


def test_a_training_is_stopped_by_its_own_rules(answer, avion, scenes):
    run = answer("train", "scenes", "--method", "class_mean")["run_id"]
    assert answer("jobs", "show", run)["kind"] == "training"
    assert "The run has already ended" in avion("jobs", "stop", run).stderr


def home_of(home, job):
    return home.path / "jobs" / job

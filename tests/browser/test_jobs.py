"""The page Jobs as a person uses it: a job is started, watched, stopped and resumed, on the panel of every kind."""

from __future__ import annotations

import re

import pytest

from avion_core.usecases.installation.home import Home
from avion_core.usecases.jobs import get_job
from avion_core.usecases.runs.deleting import delete_run
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import kill
from tests.app.tiny_home import NAME
from tests.browser.page import Page

pytestmark = pytest.mark.timeout(600)


@pytest.mark.usefixtures("nothing_trains_on")
def test_a_job_is_started_watched_stopped_and_resumed(page: Page, home: Home) -> None:
    job = create_run(home, NAME, overrides={"distillation.epochs": 3000}, name="watched among the jobs")

    def counted() -> int:
        """What the panel says of the steps; 0 before it counts them."""
        said = re.search(r"Training steps · ([\d,]+) of 6,000", page.text())
        return int(said[1].replace(",", "")) if said else 0

    page.open("jobs", job=job)
    page.until(lambda: "Waiting for its turn" in page.text(), "the job to wait")
    page.click("Start now")
    first = page.until(counted, "its steps to be counted")
    page.until(lambda: counted() > first, "the count to go on")
    assert "left" in page.text()
    assert get_job(home, job).state == "running"

    page.click("Stop")
    page.until(lambda: page.button("Resume"), "the page to know that it has stopped")
    stopped = get_job(home, job)
    assert (stopped.state, stopped.attempt) == ("stopped", 1)
    assert stopped.done >= first

    page.click("Resume")
    page.until(lambda: counted() > stopped.done, "the resumed job to count on from there")
    assert get_job(home, job).attempt == 2
    kill(home, job)
    page.until(lambda: "Killed by a person" in page.text(), "the page to say how it ended")
    delete_run(home, job)

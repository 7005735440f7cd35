"""Where a cluster is chosen, what a page starts goes there."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from avion_core.usecases.installation.home import Home
from avion_core.usecases.runs.views import list_runs
from tests.app.tiny_home import NAME
from tests.jobs.fake_ray import serving
from tests.pages.conftest import Open, all_text, settle


def press(app: AppTest, label: str) -> AppTest:
    return settle(next(button for button in app.button if button.label == label).click().run())


def test_where_a_cluster_is_chosen_a_run_goes_there_or_it_is_said_why_not(
    home: Home, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as ray:
        ray.choose(monkeypatch)
        app = press(open_page("launch"), "Start now")
        newest = list_runs(home, NAME)[0]
        assert (newest.state, newest.waiting, newest.alive) == ("queued", False, True)
        assert [request["submission_id"] for request in ray.requests] == [f"{newest.id}-1"]
        assert app.title[0].value == "Runs"
        monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
        app = press(open_page("launch"), "Start now")
        assert "the token that the cluster was started with" in all_text(app)
    assert list_runs(home, NAME)[0].state == "failed"

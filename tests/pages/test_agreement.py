"""Agreement: figures, conflicts, the adjudicator's word, and the blind switch."""

from __future__ import annotations

import pytest

from avion_core.actor import Actor
from avion_core.usecases.curation import history, record_verdict
from avion_core.usecases.curation.agreement import conflicts
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import get_project
from tests.acting import by
from tests.app.tiny_home import NAME
from tests.pages.conftest import Open, all_text, settle


@pytest.fixture
def disputed(home: Home) -> list[str]:
    """Ana and Ben judge ten descriptions alike but for two."""
    items = current_descriptions(home, get_project(home, NAME).id)["description_id"].tolist()[:10]
    for place, item in enumerate(items):
        alike = "reject" if place >= 6 else "accept"
        record_verdict(by("ana", home), NAME, item, alike, reason="seen from above" if place == 0 else "")
        record_verdict(by("ben", home), NAME, item, "reject" if place < 2 else alike)
    return items[:2]


def test_one_person_alone_has_nothing_to_agree_on(home: Home, open_page: Open) -> None:
    text = all_text(open_page("agreement"))
    assert "needs a second reviewer" in text
    assert "No conflicts" in text


@pytest.mark.usefixtures("disputed")
def test_two_reviewers_and_their_kappa(home: Home, open_page: Open) -> None:
    app = open_page("agreement")
    figures = {metric.label: metric.value for metric in app.metric}
    # 8 of 10 alike; by chance (6*4 + 4*6)/100 = 0.48: (0.8 - 0.48) / (1 - 0.48) = 0.615
    assert figures["Cohen's kappa"] == "0.62"
    assert figures["Judged by two or more"] == "10"
    assert "Conflict 1 of 2" in all_text(app)


def test_an_adjudicator_settles_a_conflict_and_can_undo_it(home: Home, open_page: Open, disputed: list[str]) -> None:
    app = open_page("agreement")
    first = conflicts(home, NAME)["description_id"][0]
    text = all_text(app)
    assert "**Accepted** by ana" in text
    assert "**Rejected** by ben" in text
    app.text_input(key=f"why_{first}").set_value("the class card says so")
    app = settle(app.button(key=f"accept_{first}").click().run())
    assert conflicts(home, NAME)["description_id"].tolist() == [item for item in disputed if item != first]
    assert "Conflict 1 of 1" in all_text(app)
    newest = history(home, NAME, first)[-1]
    assert (newest.adjudicates, newest.reason) == (True, "the class card says so")
    app = settle(next(button for button in app.button if button.label == "Undo").click().run())
    assert "Conflict" in all_text(app)
    assert len(conflicts(home, NAME)) == 2


def test_a_reviewer_reads_and_does_not_settle(
    home: Home, open_page: Open, disputed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.state.door.actor", lambda: Actor("me", "reviewer"))
    app = open_page("agreement")
    assert "An adjudicator settles it" in all_text(app)
    assert not [button for button in app.button if button.label == "Accept"]
    assert app.toggle[0].disabled


def test_conflicts_can_be_walked(home: Home, open_page: Open, disputed: list[str]) -> None:
    app = open_page("agreement")
    app = settle(next(button for button in app.button if button.label == "Next").click().run())
    assert "Conflict 2 of 2" in all_text(app)
    app = settle(next(button for button in app.button if button.label == "Previous").click().run())
    assert "Conflict 1 of 2" in all_text(app)


def test_the_blind_switch_is_kept(home: Home, open_page: Open) -> None:
    app = open_page("agreement")
    app = settle(app.toggle[0].set_value(True).run())
    assert get_project(home, NAME).blind
    assert app.toggle[0].value
    app = settle(app.toggle[0].set_value(False).run())
    assert not get_project(home, NAME).blind

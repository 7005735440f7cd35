from __future__ import annotations

import pytest

from avion_core.errors import NotFoundError
from avion_core.store.database import reading
from avion_core.store.journal import entries
from avion_core.usecases.curation import history, my_sight, record_verdict, record_verdicts, undo
from avion_core.usecases.curation.agreement import agreement, conflicts, set_blind
from avion_core.usecases.curation.blind import visible_verdicts
from avion_core.usecases.projects.current_descriptions import current_descriptions
from tests.acting import by


@pytest.fixture
def ids(home, described) -> list[str]:
    return current_descriptions(home, described.id)["description_id"].tolist()


@pytest.fixture
def judge(home, described, ids):
    """judge("ann", "aarr") accepts the first two texts and rejects the next two."""

    def judge(who: str, letters: str) -> None:
        for item, letter in zip(ids, letters, strict=False):
            if letter in "ar":
                record_verdict(by(who, home), described.id, item, "accept" if letter == "a" else "reject")

    return judge


def test_two_reviewers_and_their_kappa(home, described, judge):
    judge("bob", "aaaarrrr")
    judge("ann", "aaarrrra")
    found = agreement(home, described.id)
    assert (found.reviewers, found.items) == (["ann", "bob"], 8)
    assert found.kappa == pytest.approx(0.5)
    assert found.alpha == pytest.approx(0.5312, abs=1e-3)
    assert found.pairs.to_dict("records") == [
        {"reviewer_a": "ann", "reviewer_b": "bob", "items": 8, "agree": 75.0, "kappa": pytest.approx(0.5)}
    ]
    assert found.per_class.set_index("class_key")["items"].to_dict() == {"beach": 4, "forest": 4}
    assert found.per_class["agree"].tolist() == [75.0, 75.0]
    assert found.sentence == ("Cohen's kappa is 0.50 over 8 texts with two or more reviewers: moderate agreement.")


def test_three_reviewers_and_their_alpha(home, described, judge):
    judge("ann", "aarr-a")
    judge("bob", "aara-a")
    judge("cyd", "-arrra")
    found = agreement(home, described.id)
    assert found.kappa is None
    assert len(found.pairs) == 3
    assert found.items == 5
    assert 0 < found.alpha < 1
    assert "Krippendorff's alpha is" in found.sentence


def test_agreement_looks_at_the_present_words_and_at_what_holds(home, described, judge, ids):
    judge("ann", "aa")
    judge("bob", "rr")
    record_verdict(by("cyd", home), described.id, ids[0], "edit", text="An overhead view of a broad beach.")
    undo(by("bob", home), described.id)
    judge("cyd", "--a")
    found = agreement(home, described.id)
    assert found.items == 0
    assert found.alpha is None
    assert found.sentence == "No description has verdicts from two reviewers yet."


def test_agreement_where_there_is_none_to_speak_of(home, described, judge):
    assert agreement(home, described.id).sentence.startswith("Agreement needs a second reviewer")
    judge("ann", "aa")
    judge("bob", "aa")
    found = agreement(home, described.id)
    assert (found.kappa, found.alpha) == (None, None)
    assert found.sentence.startswith("All verdicts on the 2 texts with two reviewers are the same")


def test_conflicts_wait_for_an_adjudicator(home, described, judge, ids):
    judge("ann", "aaa")
    judge("bob", "rar")
    judge("cyd", "--r")
    (conflict,) = conflicts(home, described.id).to_dict("records")
    assert (conflict["description_id"], conflict["class_key"]) == (ids[0], "beach")
    assert (conflict["accepts"], conflict["rejects"]) == (["ann"], ["bob"])
    assert conflict["text"].startswith("Aerial view of beach")
    record_verdict(by("dee", home), described.id, ids[0], "reject", adjudicates=True)
    assert conflicts(home, described.id).empty
    assert current_descriptions(home, described.id)["verdict"][0] == "rejected"
    assert list(conflicts(home, described.id).columns)[:3] == ["description_id", "class_key", "text"]


def test_settling_a_conflict_is_no_second_opinion(home, described, judge, ids):
    """Who settles has seen both sides: their word counts for the verdict, and not as one more blind judgement."""
    judge("ann", "aaar")
    judge("bob", "raar")
    record_verdict(by("ann", home), described.id, ids[0], "reject", adjudicates=True)
    found = agreement(home, described.id)
    assert current_descriptions(home, described.id)["verdict"][0] == "rejected"
    assert found.pairs["agree"].tolist() == [75.0]  # ann's own first verdict still disagrees with bob's


def test_blind_reviewers_see_others_after_their_own(home, described, judge, ids):
    judge("ann", "a")
    set_blind(by("ann", home), described.id, True)
    set_blind(by("ann", home), described.id, True)
    assert history(by("bob", home), described.id, ids[0]) == []
    assert [entry.reviewer for entry in history(by("ann", home), described.id, ids[0])] == ["ann"]
    record_verdict(by("bob", home), described.id, ids[0], "skip")
    assert [entry.verdict for entry in history(by("bob", home), described.id, ids[0])] == ["skip"]
    text = current_descriptions(home, described.id)["text"][0]
    record_verdict(by("bob", home), described.id, ids[0], "edit", text=text)  # an edit is no verdict yet
    assert [entry.reviewer for entry in history(by("bob", home), described.id, ids[0])] == ["bob", "bob"]
    record_verdict(by("bob", home), described.id, ids[0], "reject")
    seen = [entry.reviewer for entry in history(by("bob", home), described.id, ids[0])]
    assert seen == ["ann", "bob", "bob", "bob"]
    assert history(by("cyd", home), described.id, ids[0]) == []
    assert len(history(by("ann", home), described.id, ids[0])) == 4
    assert set(visible_verdicts(by("cyd", home), described.id).values()) == {"undecided"}
    assert (
        visible_verdicts(by("bob", home), described.id)[ids[0]]
        == current_descriptions(home, described.id)["verdict"][0]
    )
    set_blind(by("ann", home), described.id, False)
    assert visible_verdicts(by("cyd", home), described.id) == visible_verdicts(by("bob", home), described.id)
    assert len(history(by("cyd", home), described.id, ids[0])) == 4
    with reading(home.engine) as session:
        told = [entry.sentence for entry in entries(session, described.id)]
    assert told[:2] == ["Reviewers see all verdicts.", "Reviewers see others' verdicts only after their own."]


def test_each_person_has_their_own_verdicts(home, described, judge, ids):
    judge("ann", "ar")
    record_verdict(by("ann", home), described.id, ids[2], "skip")
    record_verdict(by("ann", home), described.id, ids[3], "edit", text="An overhead view of a beach.")
    judge("bob", "r")
    assert my_sight(by("ann", home), described.id).mine == {
        ids[0]: "accepted",
        ids[1]: "rejected",
        ids[2]: "skipped",
        ids[3]: "undecided",
    }
    assert my_sight(by("bob", home), described.id).mine == {ids[0]: "rejected"}


def test_what_is_done_in_one_go_is_in_the_journal(home, described, ids):
    record_verdicts(by("ann", home), described.id, ids[:4], "reject", reason="too vague")
    assert undo(by("ann", home), described.id) == ids[:4]
    with reading(home.engine) as session:
        told = [(entry.sentence, entry.who) for entry in entries(session, described.id)][:2]
    assert told == [
        ("Undid the decisions on 4 descriptions in one step.", "ann"),
        ("Rejected 4 descriptions in one step.", "ann"),
    ]


def test_a_project_that_is_not_there(home, described):
    for question in (agreement, conflicts):
        with pytest.raises(NotFoundError, match="no such project: atlantis"):
            question(home, "atlantis")

from __future__ import annotations

import pytest

from avion_core.errors import DescriptionError, EditedMeanwhileError, NotFoundError, StoreError
from avion_core.store.current_verdicts import count_decisions, current_verdicts, decisions_by_reviewer, own_decisions
from avion_core.store.database import reading, writing
from avion_core.store.histories import read_histories
from avion_core.store.projects import add_descriptions, add_project
from avion_core.store.tables import Project
from avion_core.store.verdicts import add_verdict, add_verdicts, history, undo, undo_decision


@pytest.fixture
def session(engine):
    with writing(engine) as session:
        yield session


@pytest.fixture
def decide(session, project):
    return lambda description_id, verdict, reviewer="me", **details: add_verdict(
        session, project, description_id, verdict, reviewer=reviewer, **details
    )


@pytest.fixture
def standing(session, project):
    """What holds now: {"d1": "accepted", ...}."""
    return lambda: {key: current.verdict for key, current in current_verdicts(session, project).items()}


def test_the_newest_decision_holds(decide, standing):
    decide("d1", "accept")
    decide("d1", "reject")
    decide("d2", "accept")
    assert standing() == {"d1": "rejected", "d2": "accepted"}


def test_undecide_takes_back_any_earlier_item(decide, standing):
    decide("d1", "accept")
    decide("d2", "accept")
    decide("d1", "undecide")
    assert standing() == {"d1": "undecided", "d2": "accepted"}


def test_skip_leaves_a_decision_as_it_is(decide, standing):
    decide("d1", "accept")
    decide("d1", "skip")
    assert standing() == {"d1": "accepted"}


def test_undo_walks_back_one_decision_at_a_time(session, project, decide, standing):
    decide("d1", "accept")
    decide("d2", "reject")
    decide("d1", "reject")
    assert undo(session, project, "me") == ["d1"]
    assert standing() == {"d1": "accepted", "d2": "rejected"}
    assert undo(session, project, "me") == ["d2"]
    assert undo(session, project, "me") == ["d1"]
    assert standing() == {}
    assert undo(session, project, "me") == []


def test_undo_of_an_undecide_brings_the_decision_back(session, project, decide, standing):
    decide("d1", "accept")
    decide("d1", "undecide")
    undo(session, project, "me")
    assert standing() == {"d1": "accepted"}


def test_after_an_undo_one_decides_anew(session, project, decide, standing):
    decide("d1", "accept")
    undo(session, project, "me")
    decide("d1", "reject")
    assert undo(session, project, "me") == ["d1"]
    assert standing() == {}


def test_undo_leaves_other_reviewers_alone(session, project, decide, standing):
    decide("d1", "accept", reviewer="ann")
    decide("d2", "accept", reviewer="bob")
    assert undo(session, project, "ann") == ["d1"]
    assert standing() == {"d2": "accepted"}


def test_every_row_stays_in_the_history(session, project, decide):
    decide("d1", "accept", reason="clear roof lines")
    decide("d1", "skip")
    undo(session, project, "me")
    undo(session, project, "me")
    rows = history(session, project, "d1")
    assert [row.verdict for row in rows] == ["accept", "skip", "undo", "undo"]
    assert [row.undoes for row in rows] == [None, None, rows[1].id, rows[0].id]
    assert rows[0].reason == "clear roof lines"


def test_an_edit_replaces_the_text_and_opens_the_question(session, project, decide):
    decide("d1", "accept")
    decide("d1", "edit", text="an overhead view\n of docks ")
    current = current_verdicts(session, project)["d1"]
    assert (current.verdict, current.text) == ("undecided", "an overhead view of docks")
    decide("d1", "accept")
    current = current_verdicts(session, project)["d1"]
    assert (current.verdict, current.text) == ("accepted", "an overhead view of docks")
    decide("d1", "undecide")
    assert current_verdicts(session, project)["d1"].text == "text 1"


def test_the_same_token_is_one_decision(session, project, decide):
    first = decide("d1", "accept", token="key-1")
    assert decide("d1", "accept", token="key-1").id == first.id
    assert len(history(session, project, "d1")) == 1
    assert undo(session, project, "me", token="key-2") == ["d1"]
    assert undo(session, project, "me", token="key-2") == ["d1"]
    assert len(history(session, project, "d1")) == 2


def test_a_token_used_for_another_decision_is_refused(decide):
    decide("d1", "accept", token="key-1")
    with pytest.raises(StoreError, match=r"used for another decision: key-1\. Send every decision with a token"):
        decide("d2", "accept", token="key-1")


def test_the_majority_decides_and_a_tie_is_a_conflict(session, project, decide):
    decide("d1", "accept", reviewer="ann")
    decide("d1", "reject", reviewer="bob")
    current = current_verdicts(session, project)["d1"]
    assert (current.verdict, current.conflict) == ("undecided", True)
    decide("d1", "reject", reviewer="cyd")
    current = current_verdicts(session, project)["d1"]
    assert (current.verdict, current.conflict, current.reviewer) == ("rejected", False, "cyd")


def test_a_vote_counts_for_the_text_it_was_given_to(session, project, decide):
    decide("d1", "reject", reviewer="ann")
    decide("d1", "edit", reviewer="bob", text="rows of boats seen from above")
    decide("d1", "accept", reviewer="cyd")
    current = current_verdicts(session, project)["d1"]
    assert (current.verdict, current.text) == ("accepted", "rows of boats seen from above")


def test_counts_of_what_stands(session, project, decide):
    decide("d1", "accept")
    decide("d2", "accept")
    decide("d3", "reject")
    decide("d2", "undecide")
    assert count_decisions(session, project) == {"accepted": 1, "rejected": 1}


def test_a_description_that_is_not_there(decide):
    with pytest.raises(NotFoundError, match=r"no such description: d9\. Import it first"):
        decide("d9", "accept")


@pytest.mark.parametrize(
    ("verdict", "text", "message"),
    [
        ("maybe", None, "no such verdict: maybe. Choose one of: accept, reject, edit, undecide, skip."),
        ("edit", "  ", "An edit comes with its new text, and no other verdict does: edit."),
        ("accept", "other words", "An edit comes with its new text, and no other verdict does: accept."),
    ],
)
def test_decisions_that_make_no_sense(decide, verdict, text, message):
    with pytest.raises(DescriptionError) as raised:
        decide("d1", verdict, text=text)
    assert message in str(raised.value)


def test_many_at_once_are_undone_at_once(session, project, decide, standing):
    decide("d2", "reject")
    assert add_verdicts(session, project, ["d1", "d2", "d3", "d1"], "accept", reviewer="me", batch="b") == ("b", 3)
    assert standing() == {"d1": "accepted", "d2": "accepted", "d3": "accepted"}
    assert undo(session, project, "me", token="key") == ["d1", "d2", "d3"]
    assert undo(session, project, "me", token="key") == ["d1", "d2", "d3"]
    assert standing() == {"d2": "rejected"}
    assert undo(session, project, "me") == ["d2"]


def test_an_undo_takes_back_what_still_holds_of_a_batch(session, project, decide, standing):
    add_verdicts(session, project, ["d1", "d2", "d3"], "reject", reviewer="me")
    decide("d2", "accept")
    assert undo(session, project, "me") == ["d2"]
    assert undo_decision(session, project, "d3", "me")
    assert standing() == {"d1": "rejected", "d2": "rejected", "d3": "undecided"}
    assert undo(session, project, "me") == ["d3"]
    assert undo(session, project, "me") == ["d1", "d2", "d3"]
    assert standing() == {}


def test_the_same_batch_adds_nothing(session, project):
    batch, added = add_verdicts(session, project, ["d1", "d2"], "accept", reviewer="me")
    assert added == 2
    assert add_verdicts(session, project, ["d1", "d2"], "accept", reviewer="me", batch=batch) == (batch, 0)
    with pytest.raises(StoreError, match="This batch was used for another decision"):
        add_verdicts(session, project, ["d1", "d2"], "reject", reviewer="me", batch=batch)


@pytest.fixture
def copy(session, project) -> str:
    """The id of another project with the same descriptions, as an unpacked copy has them."""
    original = session.get_one(Project, project)
    facts = {name: getattr(original, name) for name in ("image_root", "modality", "teacher", "student")}
    row = Project(name="harbours, a copy", recipe={}, defaults={}, **facts)
    add_project(session, row, {"harbor": "harbor"})
    texts = [{"description_id": f"d{i}", "class_key": "harbor", "text": f"text {i}"} for i in (1, 2, 3)]
    add_descriptions(session, row.id, texts)
    return row.id


def test_a_batch_and_a_token_of_another_project_do_not_matter(session, project, copy, standing):
    assert add_verdicts(session, copy, ["d1", "d2"], "reject", reviewer="me", batch="b") == ("b", 2)
    assert add_verdicts(session, project, ["d1", "d2"], "accept", reviewer="me", batch="b") == ("b", 2)
    assert add_verdicts(session, project, ["d1", "d2"], "accept", reviewer="me", batch="b") == ("b", 0)
    for there in (copy, project):
        add_verdict(session, there, "d3", "accept", reviewer="me", token="key-1")
        add_verdict(session, there, "d3", "accept", reviewer="me", token="key-1")
    assert standing() == {"d1": "accepted", "d2": "accepted", "d3": "accepted"}
    assert {entry.token for entry in read_histories(session, project)["d3"]} == {"key-1"}  # as files have it

    for there in (copy, project):
        assert undo(session, there, "me", token="key-2") == ["d3"]
        assert undo(session, there, "me", token="key-3") == ["d1", "d2"]
        assert undo(session, there, "me", token="key-3") == ["d1", "d2"]
    assert standing() == {}
    assert current_verdicts(session, copy) == {}


def test_bulk_decisions_that_make_no_sense(session, project):
    with pytest.raises(
        DescriptionError, match=r"cannot be given to several descriptions at once: edit\. Choose one of: accept"
    ):
        add_verdicts(session, project, ["d1"], "edit", reviewer="me")
    with pytest.raises(DescriptionError, match="No description was chosen"):
        add_verdicts(session, project, [], "accept", reviewer="me")
    with pytest.raises(NotFoundError, match="no such description: d8, d9"):
        add_verdicts(session, project, ["d1", "d8", "d9"], "accept", reviewer="me")


def test_more_descriptions_than_one_statement_may_name(session, project):
    many = [f"m{number:04d}" for number in range(1200)]
    add_descriptions(
        session, project, [{"description_id": key, "class_key": "harbor", "text": f"text of {key}"} for key in many]
    )
    assert add_verdicts(session, project, many, "accept", reviewer="me")[1] == 1200
    assert count_decisions(session, project) == {"accepted": 1200}
    assert len(undo(session, project, "me")) == 1200


def test_any_decision_can_be_taken_back_however_old(session, project, decide, standing):
    decide("d1", "accept")
    decide("d1", "reject")
    decide("d2", "accept")
    decide("d1", "accept", reviewer="ann")
    assert undo_decision(session, project, "d1", "me", token="key")
    assert undo_decision(session, project, "d1", "me", token="key")
    assert standing() == {"d1": "accepted", "d2": "accepted"}
    assert not undo_decision(session, project, "d1", "me")
    assert not undo_decision(session, project, "d3", "me")
    assert undo(session, project, "me") == ["d1"]
    assert current_verdicts(session, project, ["d1"])["d1"].conflict


def test_taking_back_leaves_the_edits_of_others(session, project, decide):
    decide("d1", "edit", reviewer="ann", text="rows of boats seen from above")
    decide("d1", "accept", reviewer="bob")
    decide("d1", "undecide", reviewer="bob")
    assert current_verdicts(session, project)["d1"].text == "rows of boats seen from above"
    decide("d1", "undecide", reviewer="ann")
    assert current_verdicts(session, project)["d1"].text == "text 1"


def test_the_adjudicator_wins_until_an_edit_opens_the_question_again(session, project, decide):
    for reviewer in ("ann", "bob", "cyd"):
        decide("d1", "reject", reviewer=reviewer)
    decide("d1", "accept", reviewer="dee", reason="the quay is clear", adjudicates=True)
    decide("d1", "reject", reviewer="eve")
    current = current_verdicts(session, project)["d1"]
    assert (current.verdict, current.conflict, current.reviewer) == ("accepted", False, "dee")
    assert current.reason == "the quay is clear"
    decide("d1", "edit", reviewer="ann", text="a clear quay from above")
    assert current_verdicts(session, project)["d1"].verdict == "undecided"
    undo(session, project, "ann")
    undo(session, project, "dee")
    assert current_verdicts(session, project)["d1"].verdict == "rejected"


def test_an_adjudicator_may_leave_it_to_the_rules(session, project, decide):
    decide("d1", "edit", reviewer="ann", text="a clear quay from above")
    decide("d1", "accept", reviewer="ann")
    decide("d1", "reject", reviewer="bob")
    decide("d1", "undecide", reviewer="dee", adjudicates=True)
    current = current_verdicts(session, project)["d1"]
    assert (current.verdict, current.conflict, current.text) == ("undecided", False, "a clear quay from above")


def test_ones_own_decisions(session, project, decide):
    decide("d1", "accept")
    decide("d1", "skip")
    decide("d2", "skip")
    decide("d3", "reject", reviewer="ann")
    assert own_decisions(session, project, "me") == {"d1": "accept", "d2": "skip"}
    assert own_decisions(session, project, "ann", "d1") == {}
    of_all = decisions_by_reviewer(session, project)
    assert of_all == {who: own_decisions(session, project, who) for who in ("ann", "me")}


def test_words_that_were_edited_since_they_were_shown_are_not_judged(session, project, decide):
    decide("d1", "edit", reviewer="ann", text="a clear quay from above")
    for verdict in ("accept", "reject"):
        with pytest.raises(EditedMeanwhileError, match="edited meanwhile"):
            add_verdict(session, project, "d1", verdict, reviewer="me", shown="what it said before")
        with pytest.raises(EditedMeanwhileError, match="a clear quay from above"):
            add_verdicts(session, project, ["d2", "d1"], verdict, reviewer="me", shown={"d1": "what it said before"})
    with pytest.raises(EditedMeanwhileError, match="edited meanwhile"):
        add_verdict(session, project, "d1", "edit", reviewer="me", text="a quay", shown="what it said before")
    assert own_decisions(session, project, "me") == {}
    add_verdict(session, project, "d1", "skip", reviewer="me", shown="what it said before")  # says nothing of the words
    add_verdict(session, project, "d1", "accept", reviewer="me", shown=" a clear  quay from above")
    assert current_verdicts(session, project)["d1"].verdict == "accepted"


def test_edits_are_counted(session, project, decide):
    decide("d1", "edit", text="a clear quay from above")
    decide("d2", "accept")
    assert count_decisions(session, project) == {"accepted": 1, "edited": 1}


def test_counts_follow_every_decision_and_undo(engine, project):
    """Counted as it goes on, which must be what counting anew says."""

    def counted() -> dict[str, int]:
        with reading(engine) as session:
            return dict(count_decisions(session, project))

    def write(work) -> dict[str, int]:
        with writing(engine) as session:
            work(session)
        return counted()

    assert counted() == {}
    assert write(lambda s: add_verdicts(s, project, ["d1", "d2"], "accept", reviewer="me")) == {"accepted": 2}
    edit = {"reviewer": "me", "text": "a clear quay from above"}
    assert write(lambda s: add_verdict(s, project, "d2", "edit", **edit)) == {"accepted": 1, "edited": 1}
    assert write(lambda s: undo(s, project, "me")) == {"accepted": 2}
    assert write(lambda s: undo(s, project, "me")) == {}
    assert write(lambda s: add_verdict(s, project, "d3", "reject", reviewer="ann")) == {"rejected": 1}
    with writing(engine) as session:
        add_verdict(session, project, "d1", "accept", reviewer="ann")
        assert count_decisions(session, project) == {"accepted": 1, "rejected": 1}
        session.rollback()
    assert counted() == {"rejected": 1}

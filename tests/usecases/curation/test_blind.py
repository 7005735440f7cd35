"""A blind review tells nobody what others decided before their own verdict, whichever use case is asked."""

from __future__ import annotations

import pandas as pd
import pytest

from avion_core.actor import Actor
from avion_core.errors import RightsError
from avion_core.usecases.curation import SharedCuration, Sight, curation_table, record_verdict, reviewer_view, shared
from avion_core.usecases.curation.agreement import conflicts, review_progress, set_blind
from avion_core.usecases.curation.blind import my_sight
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.transfer.exchange import export_descriptions, holdings

IDS = pd.Series(["accepted", "rejected", "skipped", "edited", "never"], dtype=str)
MINE = {"accepted": "accepted", "rejected": "rejected", "skipped": "skipped", "edited": "undecided"}


def reviewer(home, name):
    return home.acting_as(Actor(name, "reviewer"))


@pytest.fixture
def disputed(home, described) -> str:
    """A description that ann accepts and bob rejects, in a project reviewed blind."""
    item = current_descriptions(home, described.id)["description_id"][0]
    record_verdict(reviewer(home, "ann"), described.id, item, "accept")
    record_verdict(reviewer(home, "bob"), described.id, item, "reject", reason="blurred")
    set_blind(home, described.id, True)
    return item


def test_only_a_judgement_of_ones_own_opens_what_others_said():
    assert Sight(True, MINE).hides(IDS).tolist() == [False, False, True, True, True]
    assert not Sight(False, {}).hides(IDS).any()


def test_what_is_hidden_is_undecided():
    table = pd.DataFrame({"description_id": IDS, "verdict": "accepted"})
    assert Sight(True, MINE).verdicts(table).tolist() == ["accepted", "accepted", *["undecided"] * 3]
    assert Sight(False, {}).verdicts(table).tolist() == ["accepted"] * 5


def test_conflicts_are_shown_to_their_sides_and_to_who_settles_them(home, described, disputed):
    assert len(conflicts(reviewer(home, "ann"), described.id)) == 1
    assert conflicts(reviewer(home, "cyd"), described.id).empty
    assert len(conflicts(home.acting_as(Actor("dee", "adjudicator")), described.id)) == 1
    set_blind(home, described.id, False)
    assert len(conflicts(reviewer(home, "cyd"), described.id)) == 1


def test_progress_is_ones_own(home, described, disputed):
    assert review_progress(reviewer(home, "ann"), described.id)["reviewer"].tolist() == ["ann"]
    assert review_progress(reviewer(home, "cyd"), described.id).empty
    assert sorted(review_progress(home, described.id)["reviewer"]) == ["ann", "bob"]


def test_an_export_holds_everybodys_verdicts(home, described, disputed):
    blind = r"^This review is blind, and an export holds everybody's verdicts\. An adjudicator or admin"
    with pytest.raises(RightsError, match=blind):
        export_descriptions(reviewer(home, "cyd"), described.id, scores=False)
    assert holdings(reviewer(home, "cyd"), described.id).closed.startswith("This review is blind")
    assert holdings(home, described.id).closed == ""
    assert export_descriptions(home, described.id, scores=False).decisions == 2


def test_names_do_not_open_what_is_hidden(home, described, disputed):
    assert my_sight(reviewer(home, "cyd"), described.id).mine == {}
    assert my_sight(reviewer(home, "bob"), described.id).mine == {disputed: "rejected"}


def test_views_are_kept_of_the_last_reviewers_alone(monkeypatch):
    """Each costs a table of all descriptions; with one, the next look costs a class or two."""
    given = []
    monkeypatch.setattr(shared, "as_judged", lambda curation, verdict, before: given.append(before) or object())
    table = pd.DataFrame({"description_id": ["d"], "verdict": ["accepted"]})

    class Curation:
        pass

    curation = Curation()
    curation.table = table
    held = shared.SharedCuration(curation)
    names = [f"reviewer {number}" for number in range(shared._BLIND_VIEWS + 3)]
    for name in [*names, names[-1], names[0]]:
        held.through(name, Sight(True, {}), curation)
    assert len(held._views) == shared._BLIND_VIEWS
    assert given[-2] is not None  # the last one's was kept
    assert given[-1] is None  # the first one's had to go


@pytest.mark.usefixtures("tiny_towers")
@pytest.mark.parametrize("blind", [False, True])
def test_one_description_and_a_card_say_what_the_table_says(home, described, disputed, blind):
    set_blind(home, described.id, blind)
    made = SharedCuration(curation_table(home, described.id))
    seen = reviewer_view(reviewer(home, "ann"), made)
    ids = [disputed, *seen.table["description_id"][::-1][:7]]
    table = seen.rows(ids).astype(object).replace(float("nan"), None).to_dict("records")
    records = [
        {name: None if isinstance(value, float) and value != value else value for name, value in row.items()}
        for row in seen.records(ids)
    ]
    assert records == table
    assert {row["why"] == shared.HIDDEN for row in records[1:]} == {blind}
    assert records[0]["why"] != shared.HIDDEN
    cards = seen.cards(ids)
    assert [set(card) for card in cards] == [{*shared.CARD, "hits"}] * len(ids)
    assert cards == [{name: row[name] for name in card} for card, row in zip(cards, records, strict=True)]

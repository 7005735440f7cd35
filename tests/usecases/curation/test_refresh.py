"""A curation that takes in new verdicts is the one that would be made anew."""

from __future__ import annotations

import random

import pandas as pd
import pytest
import torch

from avion_core.store.database import writing
from avion_core.store.tables import Verdict
from avion_core.usecases.curation import (
    Curation,
    as_judged,
    curation_table,
    record_verdict,
    record_verdicts,
    refresh,
    undo,
    undo_decision,
)
from tests.acting import by

pytestmark = pytest.mark.usefixtures("tiny_towers")

TEXTS = (
    "Aerial view of a {} with long shadows at noon.",
    "A quiet street beside a {}.",
    "Overhead image of one more {}.",
)


def assert_same(found: Curation, expected: Curation) -> None:
    pd.testing.assert_frame_equal(found.table, expected.table, atol=1e-6)
    torch.testing.assert_close(found.vectors, expected.vectors)
    torch.testing.assert_close(found.embeddings, expected.embeddings)
    assert found.n_eff == pytest.approx(expected.n_eff)
    assert found.blocked == expected.blocked
    assert found.teacher_accuracy == pytest.approx(expected.teacher_accuracy, nan_ok=True)
    assert found.reach == pytest.approx(expected.reach, abs=1e-5)
    assert found.read_up_to == expected.read_up_to
    for part, ranking in expected.rankings.items():
        torch.testing.assert_close(found.rankings[part].top, ranking.top)
        assert torch.equal(found.rankings[part].best, ranking.best)


def do_something(chance: random.Random, home, project: str, ids: list[str]) -> None:
    who, item = chance.choice(["ann", "bob", "cyd"]), chance.choice(ids)
    kind = chance.choice(
        ["accept", "reject", "reject", "edit", "undecide", "skip", "undo", "take back", "bulk", "settle"]
    )
    if kind == "undo":
        undo(by(who, home), project)
    elif kind == "take back":
        undo_decision(by(who, home), project, item)
    elif kind == "bulk":
        record_verdicts(by(who, home), project, chance.sample(ids, 5), chance.choice(["accept", "reject"]))
    elif kind == "settle":
        record_verdict(by(who, home), project, item, chance.choice(["accept", "reject"]), adjudicates=True)
    else:
        text = chance.choice(TEXTS).format(chance.choice(["beach", "wood"])) if kind == "edit" else None
        record_verdict(by(who, home), project, item, kind, text=text)


@pytest.mark.parametrize("seed", range(4))
def test_refreshing_is_making_it_anew(home, described, seed):
    chance = random.Random(seed)
    curation = curation_table(home, described.id)
    ids = curation.table["description_id"].tolist()
    for _ in range(8):
        for _ in range(chance.choice([1, 1, 3])):
            do_something(chance, home, described.id, ids)
        before = curation.table.copy()
        refreshed = refresh(home, curation)
        pd.testing.assert_frame_equal(curation.table, before)
        curation = refreshed
        assert_same(curation, curation_table(home, described.id))


@pytest.mark.parametrize("seed", range(3))
def test_what_one_reviewer_makes_of_it_is_kept_up_as_it_would_be_made_anew(home, described, seed):
    chance = random.Random(seed)
    curation = curation_table(home, described.id)
    ids = curation.table["description_id"].tolist()
    one = None
    for _ in range(6):
        do_something(chance, home, described.id, ids)
        curation = refresh(home, curation)
        known = curation.table["description_id"].isin(chance.sample(ids, 6))
        verdict = curation.table["verdict"].where(known, "undecided")
        one = as_judged(curation, verdict, one)
        assert one.table["verdict"].tolist() == verdict.tolist()
        assert_same(one, as_judged(curation_table(home, described.id), verdict))


def test_nothing_new_is_the_same_curation(home, described):
    curation = curation_table(home, described.id)
    assert refresh(home, curation) is curation


def test_rows_that_came_out_of_order_are_not_missed(home, described):
    """A database with several writers may show row 12 before row 11."""
    curation = curation_table(home, described.id)
    first, second = curation.table["description_id"][:2]
    record_verdict(home, described.id, first, "reject")
    late = {
        "project_id": described.id,
        "description_id": second,
        "verdict": "reject",
        "text": curation.table["text"][1],
    }
    record_verdict(home, described.id, first, "skip")
    record_verdict(home, described.id, first, "skip")
    curation = refresh(home, curation)
    with writing(home.engine) as session:
        session.add(Verdict(id=-5, **late, reason="", reviewer="ann", rule_version=0, token="late"))
    assert_same(refresh(home, curation), curation_table(home, described.id))

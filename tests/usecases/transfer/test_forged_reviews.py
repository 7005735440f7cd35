"""A returned review file speaks for the person its pack was made for, and for nobody else."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from avion_core.actor import ALONE
from avion_core.errors import DescriptionError
from avion_core.store.home import Home
from avion_core.usecases.people import accounts
from avion_core.usecases.transfer.exchange import read_records
from avion_core.usecases.transfer.review_packs import make_review_pack, merge_review, open_review_pack
from tests.usecases.transfer.test_review_pack_cases import decide, returned, standing

pytestmark = pytest.mark.usefixtures("tiny_towers")
PASSWORD = "nine harbours at dusk"


@pytest.fixture
def back(home, described, tmp_path) -> Path:
    """What ann sent back: she accepted the first text."""
    pack = make_review_pack(home, described.id, tmp_path / "p.review", reviewer="ann")
    away = Home(tmp_path / "away", ALONE)
    there = open_review_pack(away, pack.path)
    decide(away, there.id, 0, "accept", "me")
    return returned(away, there.id, tmp_path / "back.jsonl")


def altered(back: Path, change) -> Path:
    lines = [json.loads(line) for line in back.read_text().splitlines()]
    change(lines)
    path = back.with_name("altered.jsonl")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def entry(**values: Any) -> dict[str, Any]:
    found = {"token": "forged", "verdict": "accept", "reviewer": "ann", "created_at": "2026-06-01T00:00:00+00:00"}
    return found | {"reason": "", "rule_version": 0} | values


def forge(**values: Any):
    """One more decision on the second description, about its own text unless told otherwise."""

    def change(lines: list[dict[str, Any]]) -> None:
        lines[1]["history"] = [*lines[1]["history"], entry(**{"text": lines[1]["text"], **values})]

    return change


def test_what_the_person_decided_is_merged_and_every_effect_is_named(home, described, back):
    preview = merge_review(home, described.id, back, preview=True)
    text = read_records(home, described.id, scores=False)[0][0]["text"]
    assert preview.effects == [f"ann accepts “{text}” (beach)"]
    assert merge_review(home, described.id, back).brought.decisions.reviewers == {"ann": 1}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (forge(reviewer="bob"), "the accept by bob .* is not taken: the pack was made for ann"),
        (forge(reviewer="me"), "the accept by me .* the pack was made for ann"),
        (forge(adjudicates=True), "settles a conflict, which this person may not"),
        (forge(text="A text that nobody has seen."), "about a text that the description never had here"),
        (forge(verdict="edit", text=""), "its text is empty"),
        (forge(verdict="edit", text=" .!"), "its text is empty"),
        (forge(verdict="edit", text="x" * 4001), "more than 4000 characters"),
        (forge(verdict="edit", text="half \ud800"), "holds NUL or half a character"),
        (forge(verdict="edit", text="a\0b"), "holds NUL or half a character"),
        (forge(verdict="undo", undoes="theirs"), "undoes 'theirs', which does not come before it"),
    ],
)
def test_a_forged_decision_is_left_out_and_named(home, described, back, change, problem):
    report = merge_review(home, described.id, altered(back, change))
    assert report.brought.decisions.reviewers == {"ann": 1}
    assert len(report.brought.problems) == 1
    assert re.search(problem, report.brought.problems[0])
    assert standing(home, described.id)[1][1] == "undecided"


def test_nobody_elses_decision_is_taken_back(home, described, back, tmp_path):
    decide(home, described.id, 1, "reject", "bob")
    bobs = read_records(home, described.id, scores=False)[0][1]["history"]

    def undo(lines: list[dict[str, Any]]) -> None:
        lines[1]["history"] = [*bobs, entry(verdict="undo", text=lines[1]["text"], undoes=bobs[0]["token"])]

    report = merge_review(home, described.id, altered(back, undo))
    assert "undoes a decision of somebody else" in report.brought.problems[0]
    assert standing(home, described.id)[1][1] == "rejected"


def test_an_edit_and_what_follows_it_are_taken(home, described, back):
    def edit(lines: list[dict[str, Any]]) -> None:
        words = "A beach that ann describes again."
        later = "2026-06-02T00:00:00+00:00"
        lines[1]["history"] = [
            entry(verdict="edit", text=words), entry(token="second", text=words, created_at=later),
        ]  # fmt: skip

    report = merge_review(home, described.id, altered(back, edit))
    assert report.brought.problems == []
    assert standing(home, described.id)[1] == ("A beach that ann describes again.", "accepted", False)


def resigned(**values: str):
    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line["review_pack"] = json.dumps(json.loads(line["review_pack"]) | values)

    return change


@pytest.mark.parametrize("values", [{"reviewer": "bob"}, {"pack": "0"}, {"project": "0"}, {"proof": "é"}])
def test_an_altered_signature_is_refused(home, described, back, values):
    with pytest.raises(DescriptionError, match="signature of the review file is not this studio's, or was altered"):
        merge_review(home, described.id, altered(back, resigned(**values)))


def test_a_file_without_a_signature_speaks_for_nobody_who_is_known_here(home, described, back):
    accounts.add_account(home, "Ann", PASSWORD, "admin")

    def unsigned(reviewer: str):
        def change(lines: list[dict[str, Any]]) -> None:
            for line in lines:
                del line["review_pack"]
                for row in line["history"]:
                    row["reviewer"] = reviewer

        return change

    for name in ("me", "ann", " ANN"):
        report = merge_review(home, described.id, altered(back, unsigned(name)))
        assert not report.brought.decisions.added
        assert "does not prove that it comes from that person" in report.brought.problems[0]
    assert merge_review(home, described.id, altered(back, unsigned("guest"))).brought.decisions.added == 1


def test_who_may_settle_conflicts_here_may_by_a_pack(home, described, back):
    accounts.add_account(home, "ann", PASSWORD, "admin")
    report = merge_review(home, described.id, altered(back, forge(adjudicates=True)))
    assert report.brought.problems == []
    assert any(effect.endswith(", settling a conflict") for effect in report.effects)


def test_the_secret_is_the_homes_alone(home, described, back):
    assert stat.S_IMODE((home.path / "review.key").stat().st_mode) == 0o600
    assert (home.path / "review.key").read_bytes() not in back.read_bytes()

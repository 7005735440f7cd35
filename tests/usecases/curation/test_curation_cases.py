from __future__ import annotations

import time

import pytest
import torch

from avion_core.config import DescriptionsConfig, PrototypesConfig
from avion_core.errors import DescriptionError, NotFoundError
from avion_core.usecases.curation import curation_table, decision_preview, evidence, history, record_verdict, undo
from avion_core.usecases.projects.summaries import get_project, read_splits
from tests.acting import by

pytestmark = pytest.mark.usefixtures("tiny_towers")


@pytest.fixture
def curation(home, described):
    return curation_table(home, described.id)


def test_every_description_with_every_figure(curation):
    table = curation.table
    assert len(table) == 12
    assert table["flag"].sum() == 6  # "Aerial view of ..." and "A satellite image ..." of three classes
    assert set(table["verdict"]) == {"undecided"}
    assert table.groupby("class_key")["weight"].sum().tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert (table["influence"][table["weight"] > 0] > 0).all()
    assert ((table["past_cut"] <= 0) == table["kept"]).all()
    assert curation.explained(table)["reasons"][0][0]["rule"] == "positive"
    assert curation.class_keys == ("beach", "forest", "golfcourse")
    assert set(curation.n_eff) == set(curation.class_keys)
    assert set(curation.teacher_accuracy) == set(curation.template_accuracy) == {"train", "validation"}
    assert curation.would_change.empty


def test_images_are_shots_and_validation_alone(home, described, curation):
    splits = read_splits(home, described.id)
    assert len(curation.images["train"][0]) == sum(map(len, splits.shots(1, 2).values()))
    assert len(curation.images["validation"][0]) == sum(map(len, splits.validation_images(1, 2).values()))


def test_a_verdict_decides(home, described, curation):
    first, second = curation.table["description_id"][:2]
    record_verdict(home, described.id, first, "reject", reason="vague")
    record_verdict(by("ann", home), described.id, second, "accept")
    table = curation_table(home, described.id).table.set_index("description_id")
    assert (table.at[first, "verdict"], table.at[first, "kept"], table.at[first, "reason"]) == (
        "rejected",
        False,
        "vague",
    )
    assert (table.at[second, "verdict"], table.at[second, "kept"], table.at[second, "reviewer"]) == (
        "accepted",
        True,
        "ann",
    )
    assert get_project(home, described.id).verdicts == {"rejected": 1, "accepted": 1}


def test_an_edit_is_scored_anew(home, described, curation):
    first = curation.table["description_id"][0]
    record_verdict(home, described.id, first, "edit", text="Someone near the street.")
    row = curation_table(home, described.id).table.set_index("description_id").loc[first]
    assert (row["text"], row["edited"], row["flag"]) == ("Someone near the street.", True, False)
    assert row["original"] == curation.table["text"][0]
    assert row["similarity"] != curation.table["similarity"][0]


def test_undo_and_history(home, described, curation):
    first = curation.table["description_id"][0]
    record_verdict(home, described.id, first, "accept", token="1")
    record_verdict(home, described.id, first, "accept", token="1")
    assert undo(home, described.id, token="2") == [first]
    assert undo(home, described.id, token="2") == [first]
    assert undo(home, described.id) == []
    assert [entry.verdict for entry in history(home, described.id, first)] == ["accept", "undo"]
    assert get_project(home, described.id).verdicts == {}


def test_a_preview_says_what_would_change(curation):
    strict = decision_preview(curation, PrototypesConfig(flag_mode="hard"), DescriptionsConfig())
    assert strict.table["kept"].sum() == 6
    assert set(strict.would_change["text"]) == set(
        curation.table["text"][curation.table["kept"] & ~curation.table["flag"]]
    )
    assert set(strict.would_change["class"]) <= {"beach", "forest", "golf course"}
    assert all(then.startswith("Cut: it does not pass RS-Flag") for then in strict.would_change["then"])
    same = decision_preview(curation, PrototypesConfig(), DescriptionsConfig())
    assert same.would_change.empty
    assert torch.equal(same.vectors, curation.vectors)
    assert same.teacher_accuracy == curation.teacher_accuracy


def test_a_class_left_without_text_is_shown_as_blocked(home, described, curation):
    for item in curation.table.query("class_key == 'beach'")["description_id"]:
        record_verdict(home, described.id, item, "reject")
    assert curation_table(home, described.id).blocked == ["beach"]


def test_a_preview_is_fast_enough_for_a_slider(curation):
    decision_preview(curation, PrototypesConfig(zeta=2.9), DescriptionsConfig())
    seconds = []
    for zeta in (1.0, 2.0, 4.0, 5.0, 6.0):
        start = time.process_time()
        decision_preview(curation, PrototypesConfig(zeta=zeta), DescriptionsConfig())
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.2


def test_evidence_is_training_images_of_the_class_best_first(curation):
    item = curation.table.query("class_key == 'forest'")["description_id"].iloc[0]
    found = evidence(curation, item)
    matches = found.best + found.worst
    assert {match.path.parent.name for match in matches} == {"forest"}
    assert len(matches) == len({match.path for match in matches}) == 2
    assert found.best[0].similarity >= found.worst[0].similarity


def test_a_verdict_on_what_is_not_there(home, described, curation):
    with pytest.raises(NotFoundError, match=r"no such description: d9\. Import it first"):
        record_verdict(home, described.id, "d9", "accept")
    with pytest.raises(NotFoundError, match=r"no such project: atlantis\. Existing projects: scenes"):
        record_verdict(home, "atlantis", "d9", "accept")
    with pytest.raises(NotFoundError, match=r"no such description: d9\. Reload the page"):
        evidence(curation, "d9")


def test_a_word_that_is_no_verdict(home, described, curation):
    with pytest.raises(DescriptionError, match=r"no such verdict: perhaps\. Choose one of: accept, reject"):
        record_verdict(home, described.id, curation.table["description_id"][0], "perhaps")  # pyright: ignore

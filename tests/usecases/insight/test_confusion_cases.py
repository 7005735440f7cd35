"""Confusion to text on a tiny project: what is tried is what would be, and what is refused."""

from __future__ import annotations

import threading

import pandas as pd
import pytest
import torch

from avion_core.descriptions.schema import description_id
from avion_core.errors import DescriptionError
from avion_core.store.database import reading
from avion_core.store.journal import entries
from avion_core.store.projects import descriptions_of
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.agreement import set_blind
from avion_core.usecases.insight.confusion import (
    add_contrastive,
    confusions,
    contrasts,
    pulling_texts,
    refreshed,
    rescored,
    try_texts,
)
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.writing.generations import descriptions_written
from avion_core.usecases.writing.ordering import make_writing_settings, order_descriptions, write_here
from tests.acting import by
from tests.descriptions.writers.loopback import KEY, loopback

PAIR = ("beach", "forest")
TEXTS = {
    "beach": ["Aerial view of bright sand beside open water.", "Overhead image of pale dunes without any trees."],
    "forest": ["Aerial view of dark closed canopy without sand."],
}

pytestmark = pytest.mark.usefixtures("tiny_towers")


@pytest.fixture
def run(home, described) -> str:
    run_id = create_run(home, described.id)
    run_here(home, run_id, threading.Event())
    return run_id


def test_what_was_tried_is_what_adding_gives(home, described, run) -> None:
    found = confusions(home, described.id, run)
    tried = try_texts(home, found, TEXTS, PAIR)
    assert len(refreshed(home, found).curation.table) == len(found.curation.table)  # nothing was added
    add_contrastive(by("ana", home), described.id, TEXTS)
    added = confusions(home, described.id, run)
    figures = rescored(added, found.curation.vectors, added.curation.vectors, PAIR)
    assert tried.figures.equals(figures)
    assert set(figures["judge"]) == {"teacher", "student"}
    assert figures.query("judge == 'teacher' and part == 'all'")["after"].item() == pytest.approx(
        added.curation.teacher_accuracy["validation"]
    )
    table = added.curation.table.set_index("description_id")
    for row in tried.texts.to_dict("records"):
        in_force = table.loc[description_id(row["class_key"], row["text"])]
        assert (row["kept"], row["weight"]) == (in_force["kept"], pytest.approx(in_force["weight"]))


def test_added_texts_are_a_person_s_contrastive_and_in_the_journal(home, described) -> None:
    ids = add_contrastive(by("ana", home), described.id, TEXTS)
    assert add_contrastive(by("ana", home), described.id, TEXTS) == ids  # the same again adds nothing
    with reading(home.engine) as session:
        written = {row.description_id: row for row in descriptions_of(session, described.id) if row.writer == "ana"}
        assert set(written) == set(ids)
        assert {row.prompt_version for row in written.values()} == {"contrastive"}
        said = [entry.sentence for entry in entries(session, described.id) if entry.who == "ana"]
    assert said == ["3 contrastive descriptions written for beach and forest"]


def test_asked_and_written_contrasts_are_held_against_the_project_without_them(
    home, described, run, monkeypatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    before = confusions(home, described.id, run)
    assert contrasts(home, before, PAIR).texts.empty
    ids = set(add_contrastive(by("ana", home), described.id, TEXTS))
    with loopback() as server:
        for apart in (PAIR, ("forest", "golfcourse")):  # the second is no contrast of the pair
            values = {"base_url": server.address, "per_class": 2, "classes": apart, "distinguish_from": apart}
            order = order_descriptions(home, described.id, make_writing_settings(values))
            write_here(home, order, threading.Event())
            ids |= set(descriptions_written(home, described.id, order)) if apart == PAIR else set()
    found = confusions(home, described.id, run)
    result = contrasts(home, found, PAIR)
    assert set(result.texts["description_id"]) == ids
    assert len(ids) == 3 + 4

    others = sorted(set(found.curation.table["description_id"]) - ids)
    assert len(others) == len(before.curation.table) + 4
    for item in ids:
        record_verdict(home, described.id, item, "reject")
    rejected = refreshed(home, found)
    judged = contrasts(home, rejected, PAIR)
    assert not judged.texts["kept"].any()
    assert judged.figures["before"].tolist() == pytest.approx(judged.figures["after"].tolist())


def test_cells_hold_the_images_that_the_matrix_counts(home, described, run) -> None:
    found = confusions(home, described.id, run)
    keys = found.curation.class_keys
    for judge in ("teacher", "student"):
        matrix = found.matrix(judge)
        for row, true in enumerate(keys):
            for column, said in enumerate(keys):
                pictures = found.pictures(judge, true, said)
                assert len(pictures) == matrix[row][column]
                assert {path.parent.name for path in pictures} <= {true}


def test_margins_are_cosines_with_the_training_images(home, described) -> None:
    found = confusions(home, described.id)
    table = pulling_texts(found, *PAIR)
    curation = found.curation
    assert set(table["class_key"]) == set(PAIR)
    assert table["margin"].is_monotonic_increasing
    places = {text: place for place, text in enumerate(curation.table["description_id"])}
    for row in table.to_dict("records"):
        other = PAIR[1 - PAIR.index(row["class_key"])]
        own_mean, other_mean = (visual_mean(curation, key) for key in (row["class_key"], other))
        g = curation.embeddings[places[row["description_id"]]]
        assert row["own"] == pytest.approx(float(g @ own_mean), abs=1e-5)
        assert row["margin"] == pytest.approx(float(g @ own_mean - g @ other_mean), abs=1e-5)


def visual_mean(curation, key: str) -> torch.Tensor:
    features, labels = curation.images["train"]
    return torch.nn.functional.normalize(features[labels == curation.class_keys.index(key)].mean(0), dim=0)


def test_a_rejected_text_pulls_no_longer(home, described) -> None:
    found = confusions(home, described.id)
    worst = pulling_texts(found, *PAIR)["description_id"].iloc[0]
    record_verdict(home, described.id, worst, "reject")
    assert worst not in set(pulling_texts(refreshed(home, found), *PAIR)["description_id"])


def test_in_a_blind_review_a_text_that_others_rejected_pulls_as_before(home, described) -> None:
    found = confusions(home, described.id)
    pulling = pulling_texts(found, *PAIR)
    first, second = pulling["description_id"][:2]
    set_blind(home, described.id, True)
    for item in (first, second):
        record_verdict(by("ana", home), described.id, item, "reject")
    mine = refreshed(home, found)
    pd.testing.assert_frame_equal(pulling_texts(mine, *PAIR), pulling)
    assert mine.curation.teacher_accuracy == found.curation.teacher_accuracy
    record_verdict(home, described.id, first, "reject")
    left = set(pulling_texts(refreshed(home, found), *PAIR)["description_id"])
    assert {first, second} & left == {second}
    assert not {first, second} & set(pulling_texts(refreshed(by("ana", home), found), *PAIR)["description_id"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, r"^There is no text\. Write at least one description\."),
        ({"beach": [" . "]}, r"^The text is empty or too long: \.\. Write a text"),
        ({"beach": ["long " * 1000]}, r"^The text is empty or too long"),
        ({"desert": ["Aerial view of bare sand."]}, r"^The project has no such class: desert\. Choose one"),
        ({"beach": ["Aerial view of beach seen from directly above in daylight."]}, r"^The project holds this text"),
    ],
)
def test_what_cannot_be_tried(texts, message, home, described) -> None:
    with pytest.raises(DescriptionError, match=message):
        try_texts(home, confusions(home, described.id), texts, PAIR)


def test_a_text_of_an_unknown_class_is_refused(home, described) -> None:
    with pytest.raises(DescriptionError, match=r"^The project has no such class: desert\. Choose one"):
        add_contrastive(home, described.id, {"desert": ["Aerial view of bare sand."]})

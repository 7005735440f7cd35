"""Classes: cards, and changes that carry everything along and can be undone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avion_core.actor import ALONE
from avion_core.errors import DataError, NotFoundError
from avion_core.store.database import reading
from avion_core.store.journal import entries
from avion_core.usecases.curation import history, record_verdict
from avion_core.usecases.installation.home import Home
from avion_core.usecases.projects.classes import (
    add_class,
    class_changes,
    edit_card,
    merge_classes,
    rename_class,
    split_class,
    undo_change,
)
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.images import image_table
from avion_core.usecases.projects.labels import give_labels, undo_labels
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from tests.acting import by


def by_class(home, project):
    return {entry.key: entry.count for entry in get_project(home, project.id).classes}


def test_a_card_is_edited_field_by_field(home, project):
    edit_card(by("Ada", home), project.id, "beach", {"local_name": " Strand ", "code": "3.3.1", "colour": "#D55E00"})
    edit_card(home, project.id, "beach", {"definition": "Bare sand along open water."})
    card = get_project(home, project.id).classes[0]
    assert (card.local_name, card.code, card.colour) == ("Strand", "3.3.1", "#D55E00")
    assert card.definition == "Bare sand along open water."
    with reading(home.engine) as session:
        newest, first, *_ = entries(session, project.id)
    assert (first.who, first.sentence) == ("Ada", "The card of beach was edited (local name, code, colour).")
    assert newest.sentence == "The card of beach was edited (definition)."


def test_a_class_is_renamed_and_named_back(home, project):
    rename_class(home, project.id, "golfcourse", " golf   links ")
    rename_class(home, project.id, "golfcourse", "golf links")
    assert get_project(home, project.id).classes[2].prompt_name == "golf links"
    assert [change.sentence for change in class_changes(home, project.id)] == ["golf course was renamed to golf links."]
    assert undo_change(home, project.id) == "Undone: golf course was renamed to golf links."
    assert get_project(home, project.id).classes[2].prompt_name == "golf course"
    (change,) = class_changes(home, project.id)
    assert (change.undone, change.undoable) == (True, False)


def test_a_merge_carries_images_descriptions_and_verdicts(home, described):
    beach = current_descriptions(home, described.id).query("class_key == 'beach'")["description_id"].tolist()
    record_verdict(by("Ada", home), described.id, beach[0], "accept")
    before = read_splits(home, described.id)
    merge_classes(home, described.id, "beach", "forest")

    assert by_class(home, described) == {"forest": 16, "golfcourse": 8}
    assert get_project(home, described.id).descriptions == 12
    candidates = current_descriptions(home, described.id).set_index("description_id")
    assert set(candidates.loc[beach, "class_key"]) == {"forest"}
    assert candidates.at[beach[0], "verdict"] == "accepted"
    assert [entry.reviewer for entry in history(home, described.id, beach[0])] == ["Ada"]
    now = read_splits(home, described.id)
    assert now.test == before.test
    assert set(now.train[1]["forest"]) == {*before.train[1]["beach"], *before.train[1]["forest"]}
    assert set(now.train[1]["forest"][:2]) == {before.train[1][key][0] for key in ("beach", "forest")}  # in turns

    assert undo_change(home, described.id) == "Undone: beach was merged into forest."
    assert by_class(home, described) == {"beach": 8, "forest": 8, "golfcourse": 8}
    now = current_descriptions(home, described.id).set_index("description_id")
    assert set(now.loc[beach, "class_key"]) == {"beach"}
    assert read_splits(home, described.id) == before


def test_a_label_of_a_merged_class_is_read_as_its_successors(home, project):
    image = read_splits(home, project.id).train[1]["golfcourse"][0]
    give_labels(by("Ada", home), project.id, {image: "beach"})
    give_labels(by("Ada", home), project.id, {image: "golfcourse"})
    merge_classes(home, project.id, "beach", "forest")
    undo_labels(by("Ada", home), project.id)
    assert read_manifest(home, project.id).set_index("image_id").at[image, "label"] == "forest"
    with pytest.raises(NotFoundError, match=r"no such class: beach. It was merged into forest."):
        give_labels(home, project.id, {image: "beach"})


def test_a_split_carries_what_was_chosen_and_comes_together_again(home, described):
    before = read_splits(home, described.id)
    texts = current_descriptions(home, described.id).query("class_key == 'beach'")["description_id"].tolist()
    moved = [image for image in before.test if image in set(of_class(home, described, "beach"))][:2]
    moved += before.train[1]["beach"][:1]
    key = split_class(home, described.id, "beach", "pebble beach", image_ids=moved, description_ids=texts[:2])
    assert by_class(home, described) == {"beach": 5, "forest": 8, "golfcourse": 8, "pebble beach": 3}
    now = read_splits(home, described.id)
    assert now.test == before.test
    assert now.train[1][key] == (before.train[1]["beach"][0],)
    candidates = current_descriptions(home, described.id).set_index("description_id")["class_key"]
    assert candidates[texts].tolist() == [key, key, "beach", "beach"]

    assert undo_labels(home, described.id) == []  # the label page's undo leaves a split alone
    later = before.train[1]["forest"][0]
    give_labels(home, described.id, {later: key})
    undo_change(home, described.id)
    assert by_class(home, described) == {"beach": 9, "forest": 7, "golfcourse": 8}
    undo_labels(home, described.id)
    assert read_splits(home, described.id) == before
    now = current_descriptions(home, described.id).set_index("description_id")
    assert set(now.loc[texts, "class_key"]) == {"beach"}


def test_every_change_of_classes_is_another_revision(home, described):
    texts = current_descriptions(home, described.id).query("class_key == 'beach'")["description_id"].tolist()
    revisions = [get_project(home, described.id).revision]
    for moved in (texts[:1], texts[:2]):  # the same new class each time, with other descriptions and no label
        split_class(home, described.id, "beach", "dunes", description_ids=moved)
        revisions.append(get_project(home, described.id).revision)
        undo_change(home, described.id)
    assert len(set(revisions)) == 3


def of_class(home, project, key):
    return read_manifest(home, project.id).query("label == @key")["image_id"].tolist()


def test_an_added_class_goes_only_while_it_is_empty(home, project):
    assert add_class(home, project.id, "Solar farm") == "Solar farm"
    assert get_project(home, project.id).classes[0].prompt_name == "solar farm"
    undo_change(home, project.id)
    assert by_class(home, project) == {"beach": 8, "forest": 8, "golfcourse": 8}
    key = add_class(home, project.id, "Solar farm")  # the name is free again
    give_labels(home, project.id, {of_class(home, project, "beach")[0]: key})
    with pytest.raises(DataError, match=r"in use now: Solar farm. Merge it into another class instead"):
        undo_change(home, project.id)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda home, p: rename_class(home, p, "volcano", "x"), NotFoundError, "has no such class: volcano."),
        (lambda home, p: rename_class(home, p, "beach", "For-est"), DataError,
         "A class name is empty or taken: For-est. Choose words that no other class has"),
        (lambda home, p: rename_class(home, p, "beach", " "), DataError, "A class name is empty or taken"),
        (lambda home, p: add_class(home, p, "Golf course"), DataError, "A class name is empty or taken"),
        (lambda home, p: add_class(home, p, "x" * 81), DataError, "Give at most 80 letters"),
        (lambda home, p: add_class(home, p, "a\x07b"), DataError, "The name of a class cannot be used"),
        (lambda home, p: merge_classes(home, p, "beach", "beach"), DataError, "into itself: beach. Choose another"),
        (lambda home, p: merge_classes(home, p, "beach", "volcano"), NotFoundError, "no such class: volcano"),
        (lambda home, p: split_class(home, p, "beach", "dunes", description_ids=["gone"]), NotFoundError,
         "does not belong to the class that is split: gone"),
        (lambda home, p: edit_card(home, p, "beach", {"colour": "red"}), DataError, "Give it as #rrggbb"),
        (lambda home, p: edit_card(home, p, "beach", {"parent": "Beach"}), DataError, "part of itself: Beach"),
        (lambda home, p: edit_card(home, p, "beach", {"name": "x"}), NotFoundError, "no such field: name. Fields are"),
        (lambda home, p: undo_change(home, p), NotFoundError, "There is no change of classes to undo"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(home, project, call, error, message):
    with pytest.raises(error) as raised:
        call(home, project.id)
    assert message in str(raised.value)
    assert by_class(home, project) == {"beach": 8, "forest": 8, "golfcourse": 8}


def test_a_merged_name_is_not_given_again(home, project):
    merge_classes(home, project.id, "beach", "forest")
    with pytest.raises(DataError, match=r"merged into another: beach. Undo that, or choose another name."):
        add_class(home, project.id, "beach")


def test_a_class_that_an_undo_retired_comes_back_with_what_was_labelled_since(home, project):
    moved, later = of_class(home, project, "beach")[0], of_class(home, project, "forest")[0]
    key = split_class(home, project.id, "beach", "dunes", image_ids=[moved])
    give_labels(home, project.id, {later: key})
    undo_change(home, project.id)
    assert by_class(home, project) == {"beach": 9, "forest": 7, "golfcourse": 8}
    assert split_class(home, project.id, "beach", "dunes", image_ids=[moved]) == key
    assert by_class(home, project) == {"beach": 7, "dunes": 2, "forest": 7, "golfcourse": 8}
    undo_change(home, project.id)
    assert by_class(home, project) == {"beach": 9, "forest": 7, "golfcourse": 8}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("label"), st.integers(0, 23), st.integers(0, 9)),
        st.tuples(st.just("merge"), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.just("split"), st.integers(0, 9), st.integers(0, 23)),
        st.tuples(st.just("undo label"), st.just(0), st.just(0)),
        st.tuples(st.just("undo change"), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=9,
)


@pytest.fixture(scope="module")
def half_labelled(tmp_path_factory, images) -> tuple[Home, Any]:
    folder = tmp_path_factory.mktemp("walks")
    rows = [
        f"{name}/{i:02d}.png,{name if i < 6 else ''}" for name in ("beach", "forest", "golfcourse") for i in range(8)
    ]
    (folder / "labels.csv").write_text("path,label\n" + "\n".join(rows))
    home = Home(folder / "home", ALONE)
    return home, create_project(home, "walks", images, labels=folder / "labels.csv")


@pytest.mark.long
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_sequence_of_labels_merges_splits_and_undos_moves_an_image_between_parts(half_labelled, steps):
    """The walks go on from where the last one ended: one long history."""
    home, project = half_labelled
    drawn = {}
    for seed in (1, 2, 3):
        frozen = read_splits_file(home, project.id)
        for part, images in (("test", frozen.test), ("validation", flat(frozen.validation[seed]))):
            drawn |= {(seed, image): part for image in images}
        drawn |= {(seed, image): "train" for image in flat(frozen.train[seed])}
    for step in steps:
        walk(home, project.id, step)
        now = read_splits(home, project.id)  # its parts are disjoint, or it would not be made
        labels = dict(read_manifest(home, project.id).set_index("image_id")["label"])
        keys = {entry.key for entry in get_project(home, project.id).classes}
        assert set(labels.values()) <= keys | {""}
        for seed in (1, 2, 3):
            parts = {"test": now.test, "validation": flat(now.validation[seed]), "train": flat(now.train[seed])}
            for part, images in parts.items():
                assert all(drawn.get((seed, image), "train") == part for image in images)
                # A sealed image stays sealed when its label is taken off.
                assert part == "test" or all(labels[image] for image in images)
            for lists in (now.validation[seed], now.train[seed]):
                assert all(labels[image] == key for key, images in lists.items() for image in images)
            still = {image for (of_seed, image) in drawn if of_seed == seed and labels[image]}
            assert still <= {image for images in parts.values() for image in images}  # nothing drawn gets lost
        table = image_table(home, project.id)
        assert set(table.loc[table["part"] == "test", "image_id"]) == set(now.test)


def walk(home: Home, project: str, step: tuple[str, int, int]) -> None:
    what, a, b = step
    keys = [entry.key for entry in get_project(home, project).classes]
    images = read_manifest(home, project)
    first, second = keys[a % len(keys)], keys[b % len(keys)]
    if what == "label":
        give_labels(home, project, {images["image_id"][a]: None if b == 9 else second})
    elif what == "merge" and len(keys) > 2 and first != second:
        merge_classes(home, project, first, second)
    elif what == "split" and len(keys) < 8:
        own = images.loc[images["label"] == first, "image_id"].tolist()
        split_class(home, project, first, f"part {len(class_changes(home, project))}", image_ids=own[: b // 4])
    elif what == "undo label":
        undo_labels(home, project)
    elif what == "undo change" and any(change.undoable for change in class_changes(home, project)):
        undo_change(home, project)


def flat(by_class: dict[str, tuple[str, ...]]) -> list[str]:
    return [image for images in by_class.values() for image in images]


def read_splits_file(home: Home, project: str):
    from avion_core.data.splits import Splits

    return Splits.from_json((home.project_folder(project) / "splits.json").read_text(encoding="utf-8"))

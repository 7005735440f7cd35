"""Labels given in the studio: what they change, what they never move, and how they are taken back."""

from __future__ import annotations

import pytest

from avion_core.config import RunConfig
from avion_core.data.project import held_out_images
from avion_core.errors import DataError, NotFoundError
from avion_core.protocols.run_map import image_parts
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.images import image_table
from avion_core.usecases.projects.labels import draw_splits, give_labels, undo_labels, unlabelled
from avion_core.usecases.projects.summaries import get_project, read_manifest, read_splits
from tests.acting import by


@pytest.fixture
def bare(home, images):
    """A project without a single label, with two classes made in the studio."""
    project = create_project(home, "bare", images, class_folders=False)
    for name in ("sand", "wood"):
        add_class(home, project.id, name)
    return get_project(home, project.id)


@pytest.fixture
def partly(home, images, tmp_path):
    """Twenty of 24 images labelled and drawn; four wait for a label."""
    rows = [f"{name}/{i:02d}.png,{name}" for name in ("beach", "forest") for i in range(8)]
    rows += [f"golfcourse/{i:02d}.png,golfcourse" for i in range(4)]
    (tmp_path / "labels.csv").write_text("path,label\n" + "\n".join(rows))
    return create_project(home, "partly", images, labels=tmp_path / "labels.csv")


def labels_of(home, project):
    manifest = read_manifest(home, project.id)
    return dict(zip(manifest["image_id"], manifest["label"], strict=True))


def test_new_labels_join_the_end_of_training_in_their_order(home, partly):
    before = read_splits(home, partly.id)
    last, first, *_ = unlabelled(home, partly.id)
    give_labels(home, partly.id, {first: "forest"})
    give_labels(home, partly.id, {last: "forest"})
    now = read_splits(home, partly.id)
    assert (now.test, now.validation) == (before.test, before.validation)
    for seed in (1, 2, 3):
        assert now.train[seed]["forest"] == (*before.train[seed]["forest"], first, last)
        assert now.train[seed]["beach"] == before.train[seed]["beach"]
    assert set(unlabelled(home, partly.id)).isdisjoint({first, last})
    assert get_project(home, partly.id).labelled == 22
    assert get_project(home, partly.id).revision != partly.revision


def test_a_corrected_label_keeps_the_images_part(home, partly):
    splits = read_splits(home, partly.id)
    tested, trained = splits.test[0], splits.train[1]["beach"][0]
    held_out = splits.validation[1]["beach"][0]
    give_labels(home, partly.id, dict.fromkeys((tested, trained, held_out), "golfcourse"))
    now = read_splits(home, partly.id)
    assert tested in now.test
    assert trained in now.train[1]["golfcourse"]
    assert held_out in now.validation[1]["golfcourse"]
    assert labels_of(home, partly)[tested] == "golfcourse"


def test_a_sealed_image_stays_sealed_without_a_label(home, partly):
    splits = read_splits(home, partly.id)
    tested, waiting = splits.test[0], unlabelled(home, partly.id)
    give_labels(home, partly.id, {tested: None})
    assert read_splits(home, partly.id).test == splits.test
    assert unlabelled(home, partly.id) == waiting
    table = image_table(home, partly.id).set_index("image_id")
    assert (table.at[tested, "part"], table.at[tested, "class_key"]) == ("test", "")
    assert sum(entry.test for entry in get_project(home, partly.id).classes) == len(splits.test) - 1
    sealed = freeze(home, partly.id)
    parts = image_parts(sealed, RunConfig())
    assert [part for part, images in parts.items() if tested in images] == ["test"]
    assert tested not in held_out_images(sealed, RunConfig(), list(sealed.class_names), "test").image_ids

    give_labels(home, partly.id, {tested: "beach"})
    assert image_table(home, partly.id).set_index("image_id").at[tested, "part"] == "test"


def test_neighbours_of_held_out_images_do_not_teach(home, images, tmp_path):
    rows = [
        f"{name}/{i:02d}.png,{name if i < 6 else ''},{name}{i % 3}" for name in ("beach", "forest") for i in range(8)
    ]
    (tmp_path / "labels.csv").write_text("path,label,group\n" + "\n".join(rows))
    project = create_project(home, "grouped", images, labels=tmp_path / "labels.csv")
    grouped = image_table(home, project.id).set_index("image_id")
    new = grouped.index[(grouped["group"] != "") & (grouped["part"] == "unlabelled")]
    give_labels(home, project.id, {image: grouped.at[image, "group"][:-1] for image in new})
    now = image_table(home, project.id).set_index("image_id")
    groups_of = {part: set(now.loc[now["part"] == part, "group"]) for part in ("train", "validation", "test")}
    assert not groups_of["train"] & (groups_of["test"] | groups_of["validation"])
    assert set(now.loc[new, "part"]) == {"pool", "train"}  # some neighbours are held out, some are not


def test_a_batch_is_given_once_and_undone_as_one(home, partly):
    waiting = unlabelled(home, partly.id)
    batch = give_labels(by("Ada", home), partly.id, dict.fromkeys(waiting[:3], "beach"))
    assert give_labels(by("Ada", home), partly.id, dict.fromkeys(waiting[:3], "beach"), batch=batch) == batch
    give_labels(by("Ben", home), partly.id, {waiting[3]: "forest"})
    assert unlabelled(home, partly.id) == []
    assert undo_labels(by("Ada", home), partly.id, token="once") == waiting[:3]
    assert undo_labels(by("Ada", home), partly.id, token="once") == waiting[:3]  # sent again: the same undo
    assert unlabelled(home, partly.id) == waiting[:3]
    assert undo_labels(by("Ada", home), partly.id) == []
    assert undo_labels(by("Ben", home), partly.id) == [waiting[3]]


def test_the_same_batch_in_another_project_on_the_same_images_is_another_one(home, images, partly):
    other = create_project(home, "the same scenes again", images)
    waiting = unlabelled(home, partly.id)[0]
    give_labels(by("Ada", home), other.id, {waiting: "forest"}, batch="b")
    give_labels(by("Ada", home), partly.id, {waiting: "beach"}, batch="b")
    labels = [read_manifest(home, p.id).set_index("image_id").at[waiting, "label"] for p in (other, partly)]
    assert labels == ["forest", "beach"]
    assert undo_labels(by("Ada", home), other.id, token="u") == [waiting]
    assert undo_labels(by("Ada", home), partly.id, token="u") == [waiting]
    assert waiting in unlabelled(home, partly.id)


def test_an_undo_brings_back_the_label_before(home, partly):
    image, *_ = unlabelled(home, partly.id)
    give_labels(by("Ada", home), partly.id, {image: "beach"})
    give_labels(by("Ben", home), partly.id, {image: "forest"})
    assert labels_of(home, partly)[image] == "forest"
    undo_labels(by("Ben", home), partly.id)
    assert labels_of(home, partly)[image] == "beach"


def test_without_a_draw_every_label_teaches_and_the_draw_comes_once(home, bare):
    waiting = unlabelled(home, bare.id)
    give_labels(home, bare.id, dict.fromkeys(waiting[:8], "sand"))
    assert [(entry.train, entry.test) for entry in get_project(home, bare.id).classes] == [(8, 0), (0, 0)]
    with pytest.raises(DataError, match=r"A class has no labelled image: wood. Label two or more"):
        draw_splits(home, bare.id)
    give_labels(home, bare.id, dict.fromkeys(waiting[8:16], "wood"))
    splits = draw_splits(home, bare.id)
    assert len(splits.test) == 8
    assert read_splits(home, bare.id).test == splits.test
    assert get_project(home, bare.id).drawn
    with pytest.raises(DataError, match=r"They are drawn once"):
        draw_splits(home, bare.id)


def test_what_a_label_file_marks_as_test_never_teaches(home, images, tmp_path):
    (tmp_path / "marks.csv").write_text("path,label,split\nbeach/00.png,,test\nbeach/01.png,,train\n")
    project = create_project(home, "marked", images, labels=tmp_path / "marks.csv")
    add_class(home, project.id, "sand")
    marked = read_manifest(home, project.id).query("split != ''")
    give_labels(home, project.id, dict.fromkeys(marked["image_id"], "sand"))
    taught = read_splits(home, project.id).train[1]["sand"]
    assert list(taught) == marked.query("split == 'train'")["image_id"].tolist()


def test_what_cannot_be_labelled_is_said(home, partly):
    image, *_ = unlabelled(home, partly.id)
    with pytest.raises(NotFoundError, match=r"no such class: volcano. Choose one that it has, or add it"):
        give_labels(home, partly.id, {image: "volcano"})
    with pytest.raises(NotFoundError, match=r"no such image: nowhere. Reload the page."):
        give_labels(home, partly.id, {"nowhere": "beach"})
    assert image in unlabelled(home, partly.id)

"""Labels behind descriptions and verdicts: counted, told, recorded with the run, left out where a person says so."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from avion_core.store.database import writing
from avion_core.store.generations import CONTRASTIVE
from avion_core.store.tables import Description, Generation, Job, Reply
from avion_core.usecases.curation import record_verdict
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.projects.current_descriptions import current_descriptions
from avion_core.usecases.projects.summaries import read_splits
from avion_core.usecases.runs.label_budget import LabelBudget, within_budget
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.preflight import preflight
from avion_core.usecases.runs.views import get_run
from tests import tiny_studio


@pytest.fixture
def of(home, described, tiny_towers):
    """Makes a run; returns the labels behind it, as recorded, and the descriptions that it was given."""

    def make(overrides=None, project=described) -> tuple[LabelBudget, pd.DataFrame]:
        view = get_run(home, create_run(home, project.id, overrides=overrides))
        assert view.origin is not None
        assert view.origin.labels is not None
        table = pd.read_parquet(view.folder / "inputs" / "descriptions.parquet")
        return view.origin.labels, table.set_index("description_id")

    return make


def first(home, project, class_key="beach") -> list[str]:
    table = current_descriptions(home, project.id)
    return table.loc[table["class_key"] == class_key, "description_id"].tolist()


def written(home, project, class_key, text, *, pictures=0, against=(), version="1") -> str:
    """A description as a writer's reply brought it, or a person's hand."""
    with writing(home.engine) as session:
        reply_id = None
        if version != CONTRASTIVE:
            order = Generation(
                job=Job(kind="writing", project_id=project.id, lane="network"),
                project_id=project.id, settings={"writer": "file"}, prompt_version=version, prompt="Write.",
            )  # fmt: skip
            session.add(order)
            session.flush()
            data = {"class": class_key, **({"distinguish_from": list(against)} if against else {})}
            reply = Reply(
                project_id=project.id, generation_id=order.id, class_key=class_key, data=json.dumps(data),
                pictures=pictures, asked=1, got=1, dropped={}, problem="", raw="", model="m", tokens_in=1, tokens_out=1,
                seconds=1.0,
            )  # fmt: skip
            session.add(reply)
            session.flush()
            reply_id = reply.id
        row = Description(
            project_id=project.id, description_id=f"{class_key}-{pictures}-{len(against)}-{version}",
            class_key=class_key, text=text, reply_id=reply_id, prompt_version=version,
        )  # fmt: skip
        session.add(row)
        return row.description_id


def warning(home, project, overrides) -> str:
    found = preflight(home, project.id, run_config(home, project.id, overrides=overrides))
    return next((f"{one.severity}: {one.message}" for one in found if one.title == "Label budget"), "")


def test_texts_that_have_seen_no_labels_cross_nothing(home, described, of):
    labels, table = of({"data.shots": 1})
    assert labels == LabelBudget(shots=1, labels=1)
    assert (len(table), labels.crossed) == (12, False)
    assert "have seen no others" in labels.sentence
    assert warning(home, described, {"data.shots": 1}) == ""


def test_verdicts_on_the_evidence_of_more_shots_are_told(home, described, of):
    record_verdict(home, described.id, first(home, described)[0], "accept")
    record_verdict(home, described.id, first(home, described)[1], "edit", text="Aerial view of a long and sandy beach.")
    assert of()[0].crossed is False  # the same shots and seed as the review has
    labels, table = of({"data.shots": 1})
    assert (labels.shots, labels.labels, labels.verdicts, labels.texts) == (1, 2, 2, 0)
    said = "It trains on up to 1 label a class; 2 verdicts have seen others, so it rests on up to 2 a class."
    assert labels.sentence == said
    assert warning(home, described, {"data.shots": 1}) == f"warning: {labels.sentence}"
    assert (table["verdict"] == "accepted").any()


def test_another_seeds_labels_are_others_and_its_validation_images_are_counted(home, described, of):
    for one in (item for key in tiny_studio.CLASSES for item in first(home, described, key)):
        record_verdict(home, described.id, one, "accept")
    splits = read_splits(home, described.id)
    seen = {image for images in splits.shots(1, 2).values() for image in images}
    for seed in (2, 3):
        labels, _ = of({"data.seed": seed})
        own = splits.shots(seed, 2)
        assert labels.labels == max(len({*own[key], *splits.shots(1, 2)[key]}) for key in own)
        held_out = splits.validation_images(seed, 2)
        assert labels.validation == sum(image in seen for images in held_out.values() for image in images)


def test_what_has_seen_others_can_be_left_out(home, described, of):
    accepted, edited, plain = first(home, described)[:3]
    record_verdict(home, described.id, accepted, "reject")
    record_verdict(home, described.id, edited, "edit", text="Aerial view of a long and sandy beach.")
    pictured = written(home, described, "beach", "Aerial view of a beach with many parasols.", pictures=2)
    labels, table = of({"data.shots": 1, "data.label_budget": "kept"})
    assert (labels.texts, labels.verdicts, labels.labels, labels.left_out) == (1, 2, 1, True)
    assert set(table["verdict"]) == {"undecided"}
    assert "sandy" not in " ".join(table["text"])
    assert pictured not in table.index
    assert plain in table.index
    assert "1 description and 2 verdicts that have seen others are left out" in labels.sentence
    assert warning(home, described, {"data.shots": 1, "data.label_budget": "kept"}).startswith("ok: ")
    assert pictured in of({"data.shots": 3, "data.label_budget": "kept"})[1].index  # with the shots that its writer saw


@pytest.mark.parametrize(
    "how",
    [{"pictures": 2}, {"against": ("forest",)}, {"version": CONTRASTIVE}, {"pictures": 1, "against": ("forest",)}],
)
def test_every_way_of_seeing_labels_counts(home, described, of, how):
    written(home, described, "beach", "Aerial view of a beach with many parasols.", **how)
    labels, _ = of({"data.shots": 1})
    assert (labels.texts, labels.labels) == (1, 2)
    assert of({"data.shots": 3})[0].crossed is False


def test_methods_and_settings_that_read_no_texts_rest_on_their_own_labels(home, described, of):
    record_verdict(home, described.id, first(home, described)[0], "accept")
    for overrides in ({"method": "linear_probe"}, {"prototypes.source": "template"}):
        assert of({"data.shots": 1} | overrides)[0] == LabelBudget(shots=1, labels=1)


def test_texts_written_to_differ_from_novel_classes_are_told_and_can_be_left_out(home, four, of):
    about_base = written(home, four, "beach", "Aerial view of a beach unlike any wood.", against=("forest",))
    about_novel = written(
        home, four, "beach", "Aerial view of a beach with water on one side.", against=("forest", "river")
    )
    written(home, four, "river", "Aerial view of a river with two banks.", against=("beach",))  # not used at all
    overrides = {"protocol.name": "base-to-novel"}
    labels, table = of(overrides, four)
    assert (labels.novel, labels.crossed) == (1, True)
    assert "1 description written to differ from novel classes: used." in labels.sentence
    assert about_novel in table.index
    labels, table = of(overrides | {"data.label_budget": "kept"}, four)
    assert about_novel not in table.index
    assert about_base in table.index
    assert "left out" in labels.sentence


def test_pictures_for_a_writer_are_no_seeds_validation_images(home, described):
    splits = read_splits(home, described.id)
    held_out = {image for drawn in splits.validation.values() for images in drawn.values() for image in images}
    for number in (1, 4, 8):
        sent = splits.pictures(1, number)
        assert all(len(images) <= number for images in sent.values())
        assert not held_out & {image for images in sent.values() for image in images}
        assert all(images and set(images) <= set(splits.train[1][key]) for key, images in sent.items())
    assert any(image in held_out for images in splits.train[1].values() for image in images)  # or it would show nothing


def test_the_figures_are_those_of_a_data_frame_without_side_effects(home, described):
    record_verdict(home, described.id, first(home, described)[0], "accept")
    table, splits = current_descriptions(home, described.id), read_splits(home, described.id)
    before = table.copy()
    config = run_config(home, described.id, overrides={"data.shots": 1, "data.label_budget": "kept"})
    names = {entry.key: entry.prompt_name for entry in described.classes}
    within_budget(home, described.id, config, table, splits, names)
    pd.testing.assert_frame_equal(table, before)

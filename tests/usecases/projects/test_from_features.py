"""Projects from embeddings alone: everything that needs no model works, and everything else says why it does not."""

# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
import torch

from avion_core.data.project import DESCRIPTION_COLUMNS
from avion_core.errors import AvionError, DataError, DescriptionError, NotFoundError
from avion_core.usecases.curation import curation_table, record_verdict
from avion_core.usecases.curation.outside import outside_accuracy
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.insight.alignment import embed_map, map_settings
from avion_core.usecases.insight.confusion import add_contrastive, confusions, try_texts
from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.insight.placebo import placebo_here, read_placebo, start_placebo
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.projects.from_features import create_from_features
from avion_core.usecases.projects.summaries import get_project, project_names, read_manifest, read_splits
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.preflight import preflight
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.transfer.packs import pack_project
from avion_core.usecases.transfer.relink import look_at_root, root_is_there
from avion_core.usecases.transfer.review_packs import make_review_pack
from avion_core.usecases.writing.compare_writers import compare_writers

CLASSES = ("forest", "river", "sealake")
IMAGES, TEXTS, D = 30, 8, 16


def made(seed: int = 0, noise: float = 0.35) -> dict[str, np.ndarray]:
    """Three directions with images and texts around them; of each class, one text points elsewhere."""
    random = np.random.default_rng(seed)
    centres = np.eye(4, D)
    labels, text_labels = np.repeat(np.arange(3), IMAGES), np.repeat(np.arange(3), TEXTS)
    meant = text_labels.copy()
    meant[::TEXTS] = 3
    return {
        "image_features": (centres[labels] + noise * random.normal(size=(len(labels), D))).astype(np.float32),
        "labels": labels,
        "class_names": np.array(CLASSES),
        "texts": np.array([f"Aerial view of {CLASSES[c]} with texture {n}." for n, c in enumerate(text_labels)]),
        "text_labels": text_labels,
        "text_features": (centres[meant] + 0.2 * random.normal(size=(len(meant), D))).astype(np.float32),
    }


@pytest.fixture
def file(tmp_path):
    np.savez(tmp_path / "given.npz", **made())
    return tmp_path / "given.npz"


@pytest.fixture
def given(home, file):
    return create_from_features(home, "given", file, defaults={"data": {"shots": 4}})


def test_a_project_of_one_file(home, given, file):
    assert (given.images, given.labelled, given.descriptions) == (3 * IMAGES, 3 * IMAGES, 3 * TEXTS)
    assert [entry.prompt_name for entry in given.classes] == ["forest", "river", "sea or lake"]
    assert given.drawn
    assert not given.pictures
    assert given.teacher == given.student
    file.unlink()  # what is needed of it is kept in the home
    data, config = freeze(home, given.id), run_config(home, given.id)
    assert list(data.descriptions[DESCRIPTION_COLUMNS]["writer"].unique()) == ["file of features"]
    curation = curation_table(home, given.id, config)
    assert np.isnan(curation.template_accuracy["validation"])
    assert curation.template is None
    rows = made()
    expected = rows["text_features"] / np.linalg.norm(rows["text_features"], axis=1, keepdims=True)
    by_text = dict(zip(rows["texts"], expected, strict=True))
    for text, embedding in zip(curation.table["text"], curation.embeddings, strict=True):
        assert np.allclose(by_text[text], embedding.numpy(), atol=1e-6)


def test_the_accuracy_outside_the_shots_by_hand(home, given):
    curation = curation_table(home, given.id)
    found = outside_accuracy(home, curation)
    rows, splits, manifest = made(), read_splits(home, given.id), read_manifest(home, given.id)
    shots = {image for of in splits.shots(1, 4).values() for image in of} | set(splits.test)
    image_of = {name: place for place, name in enumerate(f"image {n}" for n in range(1, 3 * IMAGES + 1))}
    outside = [image_of[row.path] for row in manifest.itertuples() if row.image_id not in shots]
    features = rows["image_features"][outside]
    said = (features @ curation.vectors.numpy().T).argmax(1)
    keys = [curation.class_keys[place] for place in said]
    right = np.mean([key == CLASSES[rows["labels"][place]] for key, place in zip(keys, outside, strict=True)])
    assert found.images == len(outside) == 3 * IMAGES - len(shots)
    assert found.accuracy == pytest.approx(100 * right)
    assert found.low < found.accuracy <= found.high
    assert (found.template, found.gain) == (None, None)
    assert f"On {len(outside)} labelled images outside the shots and the test set" in found.sentence


def test_features_of_names_give_the_template_its_rows(home, tmp_path):
    rows = made()
    np.savez(tmp_path / "named.npz", **rows, class_features=np.eye(3, D, dtype=np.float32))
    project = create_from_features(home, "named", tmp_path / "named.npz", defaults={"data": {"shots": 4}})
    curation = curation_table(home, project.id)
    assert torch.allclose(curation.template, torch.eye(3, D))
    assert curation.template_accuracy["validation"] > 50
    found = outside_accuracy(home, curation)
    assert found.template is not None
    assert found.gain == pytest.approx(found.accuracy - found.template)
    run = create_run(home, project.id, overrides={"method": "zero_shot"}, here=True)
    assert run_here(home, run, threading.Event()).state == "finished"


def test_a_wrong_text_is_cut_and_a_verdict_counts(home, given):
    config = run_config(home, given.id, overrides={"data.shots": 8, "prototypes.zeta": 2.0})
    curation = curation_table(home, given.id, config)
    wrong = curation.table.groupby("class_key")["similarity"].idxmin()
    assert not curation.table.loc[wrong, "kept"].any()
    assert (curation.table["influence"] > 0).any()
    first = curation.table["description_id"].iloc[1]
    record_verdict(home, given.id, first, "reject")
    assert not curation_table(home, given.id, config).table.set_index("description_id").at[first, "kept"]


@pytest.mark.parametrize("method", ["class_mean", "linear_probe", "text_prototypes", "mapped_prototypes"])
def test_methods_on_embeddings_run_and_are_evaluated(home, given, method):
    run = create_run(home, given.id, overrides={"method": method}, here=True)
    view = run_here(home, run, threading.Event())
    assert view.state == "finished"
    report = evaluate_run(home, run)
    assert report.value("all", "accuracy") > 50
    rows = report.figures.drop_duplicates(["method", "model"])
    assert set(rows["model"]) == {"student"}  # teacher and student are one
    assert {"class_mean", "linear_probe", "text_prototypes"} <= set(rows["method"])
    assert any("zero-shot" in row for row in report.left_out)
    assert rows["seconds"].isna().all()


def test_placebo_against_other_classes(home, given):
    job = start_placebo(home, given.id, here=True)
    assert placebo_here(home, job, threading.Event()) == "finished"
    found = read_placebo(home, given.id)
    assert found is not None
    assert set(found.figures["control"]) == {"own", "shuffled"}
    assert set(found.left_out) == {
        "the template", "random words", "its name among random words", "its descriptions without its name",
    }  # fmt: skip
    assert found.overall[0].meaning == "yes"
    assert "those of other classes" in found.overall[0].sentence


def test_splits_of_the_file_are_kept_and_twins_stay_together(home, tmp_path):
    rows = made()
    split = np.array((["test"] * 10 + ["val"] * 4 + ["train"] * 16) * 3)
    rows["image_features"][1] = rows["image_features"][0]
    np.savez(tmp_path / "split.npz", **rows, split=split)
    project = create_from_features(home, "split", tmp_path / "split.npz")
    assert len(read_splits(home, project.id).test) == 30
    drawn = made()
    drawn["image_features"][1] = drawn["image_features"][0]
    np.savez(tmp_path / "twins.npz", **drawn)
    twins = create_from_features(home, "twins", tmp_path / "twins.npz")
    manifest = read_manifest(home, twins.id).set_index("path")
    assert manifest.at["image 1", "group"] == manifest.at["image 2", "group"] == "same as image 1"
    assert [problem.kind for problem in twins.problems] == ["near_copy"]


def test_what_needs_a_model_or_pictures_is_refused(home, given, tmp_path):
    ids = curation_table(home, given.id).table["description_id"]
    (tmp_path / "more.json").write_text('{"forest": ["Aerial view of something new."]}')
    (tmp_path / "known.json").write_text('{"forest": ["Aerial view of forest with texture 0."]}')
    new = "cannot take new texts"
    with pytest.raises(DataError, match=new):
        import_descriptions(home, given.id, tmp_path / "more.json")
    assert import_descriptions(home, given.id, tmp_path / "known.json").known == 1
    with pytest.raises(DataError, match=new):
        record_verdict(home, given.id, ids[0], "edit", text="Other words.")
    with pytest.raises(DataError, match=new):
        add_contrastive(home, given.id, {"forest": ["Other words."]})
    with pytest.raises(NotFoundError, match="no model here to read a new text"):
        try_texts(home, confusions(home, given.id), {"forest": ["Other words."]}, ("forest", "river"))
    with pytest.raises(DataError, match="holds pictures"):
        pack_project(home, given.id, tmp_path / "a.avion")
    with pytest.raises((DataError, DescriptionError), match="holds pictures"):
        make_review_pack(home, given.id, tmp_path / "b.avion")
    with pytest.raises(AvionError):
        create_run(home, given.id, overrides={"method": "avion"})
    checks = preflight(home, given.id, run_config(home, given.id, overrides={"method": "avion"}))
    errors = [check for check in checks if check.severity == "error"]
    assert any("class_mean" in check.hint for check in errors)
    assert root_is_there(get_project(home, given.id))
    assert not look_at_root(home, given.id).moved
    assert pd.isna(compare_writers(home, curation_table(home, given.id)).template)


def test_the_same_name_or_a_wrong_file_makes_nothing(home, given, file):
    with pytest.raises(DataError, match="given"):
        create_from_features(home, "given", file)
    file.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match=r"neither an \.npz nor"):
        create_from_features(home, "another", file)
    assert list(project_names(home).values()) == ["given"]


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_maps_show_the_teachers_view(home, given, method):
    run = create_run(home, given.id, here=True)
    assert run_here(home, run, threading.Event()).config.method == "class_mean"
    found = embed_map(home, run, map_settings(method=method))
    points = found.points
    assert {"x_teacher", "y_teacher", "nearest_teacher"} <= set(points)
    assert "x_after" not in points
    kinds = points["kind"].value_counts().to_dict()
    assert (kinds["description"], kinds["prototype"]) == (3 * TEXTS, 3)
    splits = read_splits(home, given.id)
    shown = [*splits.shots(1, 4).values(), *splits.validation_images(1, 4).values()]
    assert kinds["image"] == sum(map(len, shown))
    images = points[points["kind"] == "image"]
    assert (images["nearest_teacher"] == images["class_key"]).mean() > 0.7
    assert list(found.figures["view"]) == ["teacher"]

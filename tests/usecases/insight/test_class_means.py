"""Class vectors that lean on the shots: by hand, kept with the adapter, and the same wherever the student predicts."""

from __future__ import annotations

import threading

import pytest
import torch
from torch.nn.functional import normalize

from avion_core.distill.class_means import ClassMeans
from avion_core.methods.avion import Avion
from avion_core.methods.bench import Bench
from avion_core.protocols.predict import classify, load_student
from avion_core.usecases.insight.evaluation import evaluate_run
from avion_core.usecases.projects.freeze import freeze
from avion_core.usecases.runs.launching import create_run
from avion_core.usecases.runs.training import run_here
from avion_core.usecases.runs.views import get_run

NAMES = {"a": "airport", "b": "beach"}


def unit(*shape: int, seed: int) -> torch.Tensor:
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_balance_by_hand():
    features, texts = unit(5, 8, seed=0), unit(3, 8, seed=1)
    means = ClassMeans.of(features, [0, 1, 1, 1, 1], NAMES)
    assert means.shots.tolist() == [1, 4]
    mixed = means.added_to(texts, {"a": "airport", "new": "river", "b": "beach"})
    first = normalize(2 / 3 * texts[0] + 1 / 3 * features[0], dim=0)  # K / (K + 2) = 1/3
    last = normalize(1 / 3 * texts[2] + 2 / 3 * normalize(features[1:].sum(0), dim=0), dim=0)
    assert torch.allclose(mixed, torch.stack([first, texts[1], last]), atol=1e-6)


def test_another_name_is_another_class():
    texts = unit(2, 8, seed=1)
    means = ClassMeans.of(unit(2, 8, seed=0), [0, 1], NAMES)
    assert torch.equal(means.added_to(texts, {"a": "aerodrome", "c": "beach"}), texts)


def test_kept_with_the_adapter_and_read_again():
    means = ClassMeans.of(unit(4, 8, seed=0), [0, 0, 1, 1], NAMES)
    again = ClassMeans.read(means.tensors(), NAMES)
    assert again is not None
    assert torch.equal(again.vectors, means.vectors)
    assert ClassMeans.read({}, NAMES) is None
    assert ClassMeans.read(means.tensors(), {"a": "airport"}) is None


@pytest.mark.usefixtures("tiny_towers")
def test_evaluation_prediction_and_a_loaded_run_agree(home, described):
    plain, leaning = (
        create_run(home, described.id, overrides={"model.class_mean": way}, here=True) for way in ("none", "by_shots")
    )
    for run in (plain, leaning):
        assert run_here(home, run, threading.Event()).state == "finished"
    reports = {run: evaluate_run(home, run).said("all") for run in (plain, leaning)}
    assert reports[plain]["true_probability"].tolist() != reports[leaning]["true_probability"].tolist()
    view, data = get_run(home, leaning), freeze(home, described.id)
    trained = load_student(view.config, view.folder, home.weights)
    assert trained.means is not None
    rows = reports[leaning]
    features = trained.embed_images(data.images(rows["image_id"].tolist()), data.recipe)
    table = classify(trained, features)
    assert table["predicted"].tolist() == rows["predicted"].tolist()
    assert table["probability"].tolist() == pytest.approx(rows["probability"].tolist(), abs=1e-4)
    own = Avion(Bench(view.config, features=home.features, weights=home.weights))
    own.load(view.folder)
    again = own.logits(data, rows["image_id"].tolist(), list(data.class_names)).softmax(1).max(1).values
    assert again.tolist() == pytest.approx(rows["probability"].tolist(), abs=1e-4)
    assert load_student(get_run(home, plain).config, get_run(home, plain).folder, home.weights).means is None

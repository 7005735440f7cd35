"""The teacher's guesses, and the order in which labels teach most."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from avion_core.errors import DataError
from avion_core.usecases.curation.label_suggestions import most_useful_first, suggest_labels
from avion_core.usecases.projects.classes import add_class
from avion_core.usecases.projects.creating import create_project
from avion_core.usecases.projects.labels import give_labels, unlabelled
from avion_core.usecases.projects.summaries import read_manifest
from tests import tiny_studio

pytestmark = pytest.mark.usefixtures("tiny_towers")


@pytest.fixture
def bare(home, images):
    return create_project(home, "bare", images, class_folders=False)


def test_names_guess_first_and_labelled_images_join_in(home, bare):
    with pytest.raises(DataError, match=r"two or more classes: \[\]. Add classes on the page Classes."):
        suggest_labels(home, bare.id, unlabelled(home, bare.id))
    for name in tiny_studio.CLASSES:
        add_class(home, bare.id, name)
    waiting = unlabelled(home, bare.id)
    by_names = suggest_labels(home, bare.id, waiting)
    assert "by the class names alone" in by_names.sentence
    assert sorted(by_names.table["image_id"]) == sorted(waiting)
    assert set(by_names.table["guess"]) <= set(tiny_studio.CLASSES)
    assert (by_names.table["probability"] >= by_names.table["runner_up_probability"]).all()

    shown = read_manifest(home, bare.id).set_index("image_id")["path"].str.split("/").str[0]
    taught = [image for name in tiny_studio.CLASSES for image in shown.index[shown == name][:3]]
    give_labels(home, bare.id, {image: shown[image] for image in taught})
    by_images = suggest_labels(home, bare.id, unlabelled(home, bare.id))
    assert by_images.sentence == "The teacher guesses by the class names and 9 labelled training images."
    truth = by_images.table["image_id"].map(shown)
    # Random towers know no words, so names guess at chance; yet they see colours, so labelled images do not.
    assert (by_images.table["guess"] == truth).all()
    assert (by_names.table["guess"] == by_names.table["image_id"].map(shown)).mean() < 0.9


def test_a_wrong_label_does_not_vote_for_itself(home, bare):
    for name in tiny_studio.CLASSES:
        add_class(home, bare.id, name)
    shown = read_manifest(home, bare.id).set_index("image_id")["path"].str.split("/").str[0]
    first, other = tiny_studio.CLASSES[:2]
    taught = {image: name for name in tiny_studio.CLASSES for image in shown.index[shown == name][:3]}
    wrong = shown.index[shown == first][3]
    give_labels(home, bare.id, taught | {wrong: other})
    found = suggest_labels(home, bare.id, [wrong])
    assert found.sentence == "The teacher guesses by the class names and 9 labelled training images."
    assert found.table["guess"].tolist() == [first]


def test_nothing_to_guess(home, images):
    project = create_project(home, "full", images)
    assert suggest_labels(home, project.id, []).table.empty


def test_doubtful_images_come_first_and_differ():
    features = normalize(torch.tensor([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [1.0, 1.0]]), dim=1)
    probabilities = torch.tensor([[0.50, 0.50], [0.51, 0.49], [0.60, 0.40], [0.99, 0.01]])
    # 1 is almost as doubtful as 0, but almost the same picture; 3 leaves no doubt.
    assert most_useful_first(features, probabilities) == [0, 2, 3, 1]


def test_every_image_is_in_the_order_once():
    generator = torch.Generator().manual_seed(0)
    features = normalize(torch.randn(5000, 8, generator=generator), dim=1)
    probabilities = torch.randn(5000, 5, generator=generator).softmax(1)
    order = most_useful_first(features, probabilities)
    assert sorted(order) == list(range(5000))
    top = probabilities.topk(2, dim=1).values
    doubt = 1 - (top[:, 0] - top[:, 1])
    later = doubt[order[240:]]
    assert (later[: 4096 - 240].diff() <= 0).all()
    # Chosen images lie further apart than the most doubtful ones would.
    spread = (features[order[:50]] @ features[order[:50]].T).mean()
    doubtful = doubt.argsort(descending=True)[:50]
    assert spread < (features[doubtful] @ features[doubtful].T).mean()

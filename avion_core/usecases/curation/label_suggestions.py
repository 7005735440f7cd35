"""What the teacher takes unlabelled images for, and which of them a label teaches most about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.data.project import class_texts
from avion_core.data.sources import Images
from avion_core.errors import DataError
from avion_core.features.store import image_features, text_features
from avion_core.progress import Progress
from avion_core.prototypes.text_prototypes import visual_prototypes
from avion_core.store.home import Home
from avion_core.store.sources import image_source
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.models.catalog import open_towers
from avion_core.usecases.policies import use_case
from avion_core.usecases.projects.summaries import ProjectSummary, get_project, read_splits

ENOUGH_IMAGES = 2
"""Training images that every class needs before they help to guess; with fewer, the names alone do."""

_SPREAD_OVER = 4096  # most doubtful images among which the first ones are chosen to differ
_SPREAD = 240  # how many of those: a long sitting; the rest follow by doubt alone
_IN_DOUBT = 0.2  # margin below which a guess is called a toss-up

SUGGESTIONS = ("image_id", "guess", "probability", "runner_up", "runner_up_probability", "why")
"""Columns of `LabelSuggestions.table`."""


@dataclass(frozen=True)
class LabelSuggestions:
    """The teacher's guesses, the image that teaches most first."""

    table: pd.DataFrame
    """Columns image_id, guess and runner_up (class keys), probability and runner_up_probability, why (a sentence)."""
    sentence: str
    """What the guesses come from."""


@use_case
def suggest_labels(
    home: Home, project: str, image_ids: list[str], *, progress: Progress | None = None
) -> LabelSuggestions:
    """The teacher's guess for each image, by class names, or by names and labelled images once every class has some.

    Embeddings that are not there yet are computed, which takes a while the first time. Only training images speak:
    validation and test images do not, so a label that agrees with a guess leaks nothing. An image that is asked about
    does not speak either: its present label may be the wrong one.

    Raises:
        NotFoundError: no such project, or the teacher's weights are not installed.
        DataError: fewer than two classes.
    """
    summary = get_project(home, project)
    config = run_config(home, summary.id)
    names = {entry.key: entry.prompt_name for entry in summary.classes}
    if len(names) < 2:
        raise DataError(
            "suggested labels need two or more classes", "Add classes on the page Classes.", value=list(names)
        )
    towers = open_towers(home, config.teacher)
    keys = list(names)
    text = text_features(towers, class_texts(names, keys, config.model.template), home.features).cpu()  # (C, D)
    asked, taught = set(image_ids), read_splits(home, summary.id).train[config.data.seed]
    known = [(image, place) for place, key in enumerate(keys) for image in taught[key] if image not in asked]
    counts = Counter(place for _, place in known)
    least = min(counts[place] for place in range(len(keys)))
    source = image_source(home, summary.id)

    def embed(ids: list[str]) -> Tensor:
        images = Images(ids, source)
        return image_features(towers, images, home.features, recipe=summary.recipe, progress=progress).cpu()

    weights, sentence = text, "by the class names alone: label two or more images of each class to improve this"
    if least >= ENOUGH_IMAGES:
        labels = torch.tensor([place for _, place in known])
        weights = normalize(visual_prototypes(embed([image for image, _ in known]), labels, keys) + text, dim=1)
        sentence = f"by the class names and {len(known):,} labelled training images"
    seen = embed(image_ids)
    probabilities = (towers.logit_scale * seen @ weights.T).softmax(1)
    return LabelSuggestions(_table(summary, image_ids, seen, probabilities), f"The teacher guesses {sentence}.")


def most_useful_first(features: Tensor, probabilities: Tensor) -> list[int]:
    """An order in which to label: doubtful images first, and among those each unlike the ones before it.

    An image's use is its doubt, 1 - (p1 - p2), times its distance 1 - max cos to the images before it. The first
    images are chosen so among the most doubtful ones; all others follow by doubt.

    Args:
        features: (N, D), unit norm. probabilities: (N, C), C >= 2.
    """
    top = probabilities.topk(2, dim=1).values
    doubt = 1 - (top[:, 0] - top[:, 1])  # (N,)
    by_doubt = doubt.argsort(descending=True, stable=True)
    near, rest = by_doubt[:_SPREAD_OVER], by_doubt[_SPREAD_OVER:]
    distance = torch.ones(len(near))
    use = doubt[near].clone()
    chosen: list[int] = []
    for _ in range(min(_SPREAD, len(near))):
        place = int(use.argmax())
        chosen.append(place)
        distance = torch.minimum(distance, 1 - features[near] @ features[near[place]])
        use = doubt[near] * distance.clamp(min=0)
        use[chosen] = -1
    taken = torch.zeros(len(near), dtype=torch.bool)
    taken[chosen] = True
    return [*near[chosen].tolist(), *near[~taken].tolist(), *rest.tolist()]


def _table(summary: ProjectSummary, image_ids: list[str], features: Tensor, probabilities: Tensor) -> pd.DataFrame:
    keys = [entry.key for entry in summary.classes]
    names = [entry.prompt_name for entry in summary.classes]
    order = most_useful_first(features, probabilities) if image_ids else []
    top = probabilities.topk(2, dim=1)
    rows = []
    for place in order:
        (first, second), (p1, p2) = top.indices[place].tolist(), top.values[place].tolist()
        if p1 - p2 < _IN_DOUBT:
            why = f"The teacher is undecided between {names[first]} ({p1:.0%}) and {names[second]} ({p2:.0%})."
        else:
            why = f"The teacher suggests {names[first]} ({p1:.0%}), before {names[second]} ({p2:.0%})."
        rows.append((image_ids[place], keys[first], p1, keys[second], p2, why))
    return pd.DataFrame(rows, columns=list(SUGGESTIONS))

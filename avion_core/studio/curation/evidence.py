"""What a description can be held against: the class's training images, and the texts of other classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from avion_core.errors import NotFoundError
from avion_core.features.store import image_features, text_features
from avion_core.store.home import Home
from avion_core.studio.candidates import read_candidates
from avion_core.studio.curation.table import Curation
from avion_core.studio.models import open_towers
from avion_core.studio.projects import get_project, read_manifest, read_splits
from avion_core.studio.rules import run_config

EVIDENCE_IMAGES = 4


@dataclass(frozen=True)
class Match:
    path: Path
    similarity: float


@dataclass(frozen=True)
class Evidence:
    """The class's training images that a description matches best and worst, the extreme one first."""

    best: list[Match]
    worst: list[Match]


@dataclass(frozen=True)
class Confusable:
    """A text of another class that reads almost like this one to the teacher (cosine `similarity`)."""

    text: str
    class_key: str
    description_id: str
    similarity: float


def evidence(home: Home, project: str, description_id: str) -> Evidence:
    """The training shots of its class that a description, as it reads now, matches best and worst.

    Raises:
        NotFoundError: no such project or description.
    """
    summary = get_project(home, project)
    config = run_config(home, summary.id)
    candidates = read_candidates(home, summary.id, description_id)
    if candidates.empty:
        raise NotFoundError("the project has no such description", "Reload the page.", value=description_id)
    class_key, text = str(candidates.at[0, "class_key"]), str(candidates.at[0, "text"])
    towers = open_towers(home, config.teacher)
    shots = read_splits(home, summary.id).shots(config.data.seed, config.data.shots)[class_key]
    manifest = read_manifest(home, summary.id)
    paths = dict(zip(manifest["image_id"], manifest["path"], strict=True))
    images = [(image, summary.image_root / paths[image]) for image in shots]
    features = image_features(towers, images, home.features, recipe=summary.recipe).cpu()
    (embedding,) = text_features(towers, [text], home.features).cpu()
    similarities = (features @ embedding).tolist()
    matches = [Match(path, similarity) for (_, path), similarity in zip(images, similarities, strict=True)]
    matches.sort(key=lambda match: match.similarity, reverse=True)
    # With few shots no picture is shown both as a good match and as a bad one.
    half = min(EVIDENCE_IMAGES, (len(matches) + 1) // 2)
    return Evidence(best=matches[:half], worst=matches[half:][: -EVIDENCE_IMAGES - 1 : -1])


def confusable(curation: Curation, description_id: str) -> Confusable | None:
    """The nearest kept text of ANOTHER class in the teacher's space; None where no other class keeps one.

    Raises:
        NotFoundError: the curation has no such description.
    """
    table = curation.table
    place = curation.place(description_id)
    others = table["kept"].to_numpy() & (table["class_key"] != table["class_key"].iloc[place]).to_numpy()
    if not others.any():
        return None
    cosines = curation.embeddings @ curation.embeddings[place]  # (M,)
    nearest = int(cosines.masked_fill(~torch.from_numpy(others), float("-inf")).argmax())
    return Confusable(
        text=str(table["text"].iloc[nearest]),
        class_key=str(table["class_key"].iloc[nearest]),
        description_id=str(table["description_id"].iloc[nearest]),
        similarity=float(cosines[nearest]),
    )

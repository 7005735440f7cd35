"""What a description can be held against: the class's training images, and the texts of other classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from avion_core.usecases.curation.table import Curation

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


def evidence(curation: Curation, description_id: str) -> Evidence:
    """The training shots of its class that a description, as it reads now, matches best and worst.

    Raises:
        NotFoundError: the curation has no such description.
    """
    place = curation.place(description_id)
    features, labels = curation.images["train"]
    shots = (labels == int(curation.owner[place])).nonzero()[:, 0]
    similarities = features[shots] @ curation.embeddings[place]
    order = similarities.argsort(descending=True, stable=True).tolist()
    matches = [Match(curation.train_paths[int(shots[shot])], float(similarities[shot])) for shot in order]
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
    others = table["kept"].to_numpy() & (curation.owner != curation.owner[place])
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

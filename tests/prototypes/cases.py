"""Descriptions with embeddings at given similarities, for the tests of prototypes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.config import PrototypesConfig
from avion_core.descriptions.rs_flag import load_rule_set
from avion_core.prototypes.text_prototypes import (
    TextPrototypes,
    text_prototypes,
)

RULES = load_rule_set("extended")


FLAGGED = "An aerial view of a harbour with rows of boats."


PLAIN = "A harbour with long rows of small white boats."


DIM = 8


def at_similarity(scores: list[float], axis: int) -> Tensor:
    """Unit vectors whose dot product with basis vector `axis` is each score; the rest spreads over other axes."""
    vectors = torch.zeros(len(scores), DIM)
    for row, score in enumerate(scores):
        vectors[row, axis] = score
        vectors[row, 3 + row % 5] = math.sqrt(1 - score**2)
    return vectors


def one_class(
    scores: list[float],
    verdicts: list[str] | None = None,
    texts: list[str] | None = None,
    allow_blocked: bool = False,
    **config,
) -> TextPrototypes:
    """Prototypes of a single class whose descriptions have these similarities."""
    candidates = pd.DataFrame(
        {
            "description_id": [f"d{row}" for row in range(len(scores))],
            "class_key": "harbour",
            "text": texts or [FLAGGED] * len(scores),
            "verdict": verdicts or ["undecided"] * len(scores),
        }
    )
    template = normalize(torch.ones(1, DIM), dim=1)
    return text_prototypes(
        candidates,
        at_similarity(scores, 0),
        torch.eye(DIM)[:1],
        ["harbour"],
        RULES,
        PrototypesConfig(**config),
        template,
        allow_blocked=allow_blocked,
    )


def random_case(seed: int, classes: int = 3, each: int = 7) -> tuple[pd.DataFrame, Tensor, Tensor, list[str]]:
    generator = torch.Generator().manual_seed(seed)
    keys = [f"class {index}" for index in range(classes)]
    visual = normalize(torch.randn(classes, DIM, generator=generator), dim=1)
    noise = torch.randn(classes * each, DIM, generator=generator)
    embeddings = normalize(visual.repeat_interleave(each, 0) + 0.6 * noise, dim=1)
    verdicts = np.array(["undecided", "undecided", "undecided", "accepted", "rejected"])
    pick = torch.randint(0, 5, (classes * each,), generator=generator).numpy()
    pick[::each] = 0  # each class keeps at least one undecided text
    candidates = pd.DataFrame(
        {
            "description_id": [f"d{row}" for row in range(classes * each)],
            "class_key": np.repeat(keys, each),
            "text": [FLAGGED if flag else PLAIN for flag in torch.rand(classes * each, generator=generator) > 0.5],
            "verdict": verdicts[pick],
        }
    )
    return candidates, embeddings, visual, keys

"""How far leaving a text out would turn its class's prototype."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.config import PrototypesConfig
from avion_core.prototypes.text_prototypes import (
    TextPrototypes,
    leave_one_out_influence,
    text_prototypes,
)
from tests.prototypes.cases import DIM, FLAGGED, RULES, at_similarity, one_class, random_case


def left_out(found: TextPrototypes, embeddings: Tensor, row: int) -> float:
    """The angle in degrees by removing a text and adding up the others, in float64, by weights among themselves."""
    table, config = found.table, found.config
    used = np.flatnonzero((table["class_key"] == table["class_key"][row]) & table["kept"])
    flag = table["flag"] | (table["verdict"] == "accepted")
    logits = (config.beta * table["similarity"] + config.gamma * flag if config.selective else 0 * flag).to_numpy()

    def prototype(rows: np.ndarray) -> Tensor:
        weights = torch.softmax(torch.from_numpy(logits[rows]).double(), dim=0)
        return normalize(weights @ embeddings[rows].double(), dim=0)

    now, then = prototype(used), prototype(used[used != row])
    return math.degrees(2 * math.atan2((now - then).norm().item(), (now + then).norm().item()))


@pytest.mark.parametrize("beta", [0.0, 10.0, 50.0, 100.0, 1000.0])
@pytest.mark.parametrize("more", [{}, {"selective": False}, {"flag_mode": "hard", "gamma": 100.0}, {"z_mode": "paper"}])
def test_influence_is_the_angle_of_leaving_one_out(beta: float, more: dict) -> None:
    candidates, embeddings, visual, keys = random_case(1)
    config = PrototypesConfig(zeta=1.5, beta=beta, **more)
    found = text_prototypes(candidates, embeddings, visual, keys, RULES, config, allow_blocked=True)
    influence, kept = leave_one_out_influence(found, embeddings), found.table["kept"]
    alone = kept.groupby(candidates["class_key"]).transform("sum") == 1
    for row in np.flatnonzero(kept & ~alone):
        assert influence[row] == pytest.approx(left_out(found, embeddings, row), rel=1e-9, abs=1e-9)
    assert (influence[~kept] == 0).all()
    assert (influence[kept & alone] == 180).all()
    assert (influence[found.table["weight"] > 0] > 0).all()


@pytest.mark.parametrize("lead", [0.1, 0.5, 0.79])
@pytest.mark.parametrize("beta", [10.0, 50.0, 200.0, 1000.0])
def test_the_text_that_dominates_its_class_has_the_most_influence(beta: float, lead: float) -> None:
    scores = [0.2 + lead, 0.2, 0.19, 0.18]
    embeddings = at_similarity(scores, 0)
    found = one_class(scores, beta=beta)
    influence = leave_one_out_influence(found, embeddings)
    assert influence[0] == pytest.approx(left_out(found, embeddings, 0), rel=1e-12)
    assert influence.argmax() == 0
    assert influence[0] > 5
    if beta * lead > 700:  # the weights of the others are 0 in float64
        assert found.table["weight"].tolist() == [1, 0, 0, 0]


def test_the_smallest_influences_are_told_apart() -> None:
    scores = [0.9, 0.3, 0.29, 0.28]
    influence = leave_one_out_influence(one_class(scores, beta=100.0), at_similarity(scores, 0))
    np.testing.assert_allclose(influence[1:-1] / influence[2:], math.exp(1), rtol=0.05)


def test_influence_of_the_only_text_and_of_twins() -> None:
    assert leave_one_out_influence(one_class([0.3]), at_similarity([0.3], 0)).tolist() == [180.0]
    twins = at_similarity([0.3], 0).repeat(4, 1)
    candidates = pd.DataFrame(
        {"description_id": list("abcd"), "class_key": "harbour", "text": FLAGGED, "verdict": "undecided"}
    )
    found = text_prototypes(candidates, twins, torch.eye(DIM)[:1], ["harbour"], RULES, PrototypesConfig())
    np.testing.assert_allclose(leave_one_out_influence(found, twins), 0.0, atol=1e-9)

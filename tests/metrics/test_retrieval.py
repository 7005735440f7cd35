from __future__ import annotations

from itertools import pairwise, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avion_core.errors import DataError
from avion_core.metrics.retrieval import recall_at, retrieval_recalls


def expected_hit(scores: list[int], relevant: list[bool], k: int) -> float:
    """The oracle: every order of the items that sorts by score, each as likely as the others."""
    orders = [
        order for order in permutations(range(len(scores))) if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    return sum(any(relevant[item] for item in order[:k]) for order in orders) / len(orders)


queries = st.integers(1, 6).flatmap(
    lambda items: st.lists(
        st.tuples(
            st.lists(st.integers(0, 2), min_size=items, max_size=items),
            st.lists(st.booleans(), min_size=items, max_size=items).filter(any),
        ),
        min_size=1,
        max_size=3,
    )
)


@settings(max_examples=60)
@given(queries, st.integers(1, 8))
def test_equal_to_counting_every_way_to_break_the_ties(drawn, k: int) -> None:
    oracle = sum(expected_hit(scores, relevant, k) for scores, relevant in drawn) / len(drawn)
    similarity = torch.tensor([scores for scores, _ in drawn]).float()
    found = recall_at(similarity, torch.tensor([relevant for _, relevant in drawn]), k)
    assert found == pytest.approx(100 * oracle)


def test_equal_scores_earn_chance_and_not_luck() -> None:
    nothing_learned = torch.zeros(10, 50)
    recalls = retrieval_recalls(nothing_learned, torch.arange(50) // 5)
    assert recalls["t2i_r1"] == pytest.approx(10.0)
    assert recalls["t2i_r5"] == pytest.approx(50.0)
    assert recalls["t2i_r10"] == pytest.approx(100.0)
    assert recalls["i2t_r1"] == pytest.approx(10.0)
    assert recalls["i2t_r5"] == pytest.approx(100 * (1 - 1221759 / 2118760))  # 1 - C(45, 5) / C(50, 5)


def test_both_directions_and_their_mean() -> None:
    similarity = torch.tensor([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1]])  # captions 0 and 1 are of image 0, 2 of image 1
    recalls = retrieval_recalls(similarity, torch.tensor([0, 0, 1]))
    assert recalls["i2t_r1"] == 50.0
    assert recalls["t2i_r1"] == pytest.approx(100 / 3)
    assert (recalls["i2t_r5"], recalls["t2i_r10"]) == (100.0, 100.0)
    assert recalls["mr"] == pytest.approx((50 + 100 + 100 + 100 / 3 + 100 + 100) / 6)


@given(st.integers(0, 1000))
def test_a_higher_k_never_finds_less(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.randint(0, 4, (4, 9), generator=generator).float()
    relevant = torch.rand(4, 9, generator=generator) > 0.6
    relevant[:, 0] = True
    recalls = [recall_at(similarity, relevant, k) for k in range(1, 10)]
    assert all(low <= high + 1e-9 for low, high in pairwise(recalls))
    assert recalls[-1] == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("similarity", "relevant", "k", "message"),
    [
        ([[0.1, float("nan")]], [[True, False]], 1, r"A similarity is not a number\. Compute the embeddings again\."),
        ([[0.1, 0.2]], [[True]], 1, r"do not fit together: \(1, 2\) and \(1, 1\)\. Give two"),
        ([[0.1], [0.2]], [[True], [False]], 1, r"A query has no relevant item: query 1\. Leave it out"),
        ([[0.1]], [[True]], 0, r"K is too small: 0\. R@K needs a K of 1 or more\."),
    ],
)
def test_what_cannot_be_ranked_is_refused(similarity, relevant, k: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        recall_at(torch.tensor(similarity), torch.tensor(relevant), k)

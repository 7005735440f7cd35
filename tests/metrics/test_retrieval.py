from __future__ import annotations

from itertools import pairwise, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avion_core.errors import DataError
from avion_core.metrics import retrieval
from avion_core.metrics.retrieval import embedding_recalls, recall_at, retrieval_recalls


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


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 3), st.booleans())
def test_embeddings_give_what_their_scores_give(seed: int, count: int, captions: int, few: bool) -> None:
    """Small whole numbers, so that scores are exact and ties abound; blocks of a few rows."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(-1, 2, (count, 2), generator=generator).float()
    texts = torch.randint(-1, 2, (count * captions, 2), generator=generator).float()
    owner = torch.arange(count).repeat(captions)[torch.randperm(count * captions, generator=generator)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "_CELLS", 7 if few else 2**23)
        found = embedding_recalls(images, texts, owner)
    assert found == pytest.approx(retrieval_recalls(images @ texts.T, owner))


def test_the_order_of_images_and_captions_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    images, owner = torch.randn(40, 8, generator=generator), torch.arange(200) // 5
    texts = images[owner] + 2 * torch.randn(200, 8, generator=generator)
    texts[7:30] = texts[5]  # one sentence for images of several
    images[3] = images[4]
    found = embedding_recalls(images, texts, owner)
    moved_images, moved_texts = torch.randperm(40, generator=generator), torch.randperm(200, generator=generator)
    place = moved_images.argsort()
    assert embedding_recalls(images[moved_images], texts[moved_texts], place[owner[moved_texts]]) == pytest.approx(
        found
    )


def test_rounding_breaks_no_tie_between_equal_captions() -> None:
    """A hundred images with one and the same caption: R@1 is chance, not luck with the last bit."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(100, 511, generator=generator)
    texts = torch.randn(1, 511, generator=generator).repeat(100, 1)
    found = embedding_recalls(images, texts, torch.arange(100))
    assert found["i2t_r1"] == pytest.approx(1.0)
    assert found["i2t_r10"] == pytest.approx(10.0)
    assert found["t2i_r1"] == pytest.approx(1.0)  # the caption's best image is right for one of its hundred owners


@pytest.mark.parametrize(
    ("images", "texts", "owner", "message"),
    [
        ([[1.0, float("nan")]], [[1.0, 0.0]], [0], "not a number"),
        ([[1.0, 0.0]], [[1.0]], [0], "do not fit together"),
        ([[1.0]], [[1.0]], [1], "belongs to no image"),
        ([[1.0], [2.0]], [[1.0]], [0], "image has no caption: image 1"),
        ([[1.0]], [[1.0]], [0, 0], "do not fit together"),
    ],
)
def test_embeddings_that_cannot_be_ranked_are_refused(images, texts, owner, message: str) -> None:
    with pytest.raises(DataError, match=message):
        embedding_recalls(torch.tensor(images), torch.tensor(texts), torch.tensor(owner))

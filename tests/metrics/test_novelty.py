"""The limit beyond which an image is far from everything known, held against a slow count and against chance."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from avion_core.metrics.novelty import FEWEST_HELD_OUT, distance_limit, nearest_distance


def unit(count: int, seed: int, dim: int = 8) -> Tensor:
    drawn = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)) + 1
    return drawn / drawn.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("count", [FEWEST_HELD_OUT, 57, 99, 300])
def test_the_limit_is_the_quantile_of_distances_counted_one_by_one(count: int) -> None:
    held_out, others = unit(count, 1), unit(30, 2)
    everything = [*held_out, *others]
    distances = sorted(
        min(1 - float(one @ other) for place, other in enumerate(everything) if place != own)
        for own, one in enumerate(held_out)
    )
    limit = distance_limit(held_out, others)
    assert limit is not None
    assert (limit.images, limit.known) == (count, count + 30)
    assert limit.distance == pytest.approx(distances[min(count, math.ceil(0.99 * (count + 1))) - 1], abs=1e-5)


def test_a_new_image_of_the_same_kind_is_seldom_far() -> None:
    far = 0
    for seed in range(40):
        held_out, others, new = unit(99, 3 * seed), unit(20, 3 * seed + 1), unit(100, 3 * seed + 2)
        limit = distance_limit(held_out, others)
        assert limit is not None
        far += int((nearest_distance(new, torch.cat([held_out, others])) > limit.distance).sum())
    assert far <= 80  # 1 % of 4,000 are 40; twice as many would be no chance


def test_what_lies_elsewhere_is_far_and_too_few_images_set_no_limit() -> None:
    held_out, others = unit(40, 1), unit(10, 2)
    limit = distance_limit(held_out, others)
    assert limit is not None
    assert nearest_distance(-held_out, torch.cat([held_out, others])).min() > limit.distance
    assert distance_limit(held_out[: FEWEST_HELD_OUT - 1], others) is None

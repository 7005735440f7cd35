"""How embeddings lie on the unit sphere: alignment, uniformity, modality gap.

Alignment and uniformity after Wang and Isola (2020), the gap after Liang et al. (2022). All inputs are unit norm.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math

from torch import Tensor

from avion_core.errors import DataError


def alignment(images: Tensor, texts: Tensor) -> float:
    """mean |x_i - y_i|^2 over matching pairs: 0 when each pair falls together, at most 4. images, texts: (N, D)."""
    if images.shape != texts.shape or len(images) == 0:
        raise DataError(
            "images and texts do not pair up",
            "Give one text embedding per image embedding.",
            value=f"{tuple(images.shape)} and {tuple(texts.shape)}",
        )
    return (images.double() - texts.double()).square().sum(1).mean().item()


def uniformity(points: Tensor, block: int = 1024) -> float:
    """log mean over pairs i < j of exp(-2 |x_i - x_j|^2): 0 when all fall together, lower when spread evenly.

    Args:
        points: (N, D), N >= 2. block: rows compared at once, to bound memory.
    """
    count = len(points)
    if count < 2:
        raise DataError("uniformity needs two points or more", "Give more embeddings.", value=count)
    points = points.double()
    total = sum(
        (4 * (points[start : start + block] @ points.T - 1)).exp().sum().item()  # |x - y|^2 = 2 - 2 x.y
        for start in range(0, count, block)
    )
    return math.log((total - count) / (count * (count - 1)))


def modality_gap(images: Tensor, texts: Tensor) -> float:
    """|mean(images) - mean(texts)|: the distance between the two clouds' centres. images: (N, D), texts: (M, D)."""
    if len(images) == 0 or len(texts) == 0:
        raise DataError("one of the two clouds is empty", "Give at least one image and one text.")
    return (images.double().mean(0) - texts.double().mean(0)).norm().item()

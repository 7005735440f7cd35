"""Tip-Adapter: labelled images as a cache beside zero-shot (Zhang et al., ECCV 2022, arXiv 2207.09519, section 3.1).

A(x) = exp(-beta (1 - f(x) F^T)) says how near an image is to each training image, and the cache adds alpha A L to the
zero-shot logits, L being the labels (equations 3 and 4). alpha and beta are the authors' first values, or those of the
authors' grid under which most selection images are right, the likelihood deciding ties; never the test images. Keys are
embeddings of the plain view, where the authors average ten random crops. A class without a training image keeps its
zero-shot logit.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from avion_core.data.project import ProjectData
from avion_core.methods.bench import Bench
from avion_core.methods.frozen import FrozenFeatures
from avion_core.methods.method import Task

ALPHA, BETA = 1.0, 5.5
"""The paper's values for ImageNet, where no image may choose others."""
LARGEST_ALPHA, LARGEST_BETA = 3.0, 7.0
ALPHAS, BETAS = 20, 200
"""The authors' grid: so many values from 0.1 to under the largest."""


class TipAdapter(FrozenFeatures):
    """logits = s f(x) . g(c) + alpha exp(-beta (1 - f(x) F^T)) L."""

    name = "tip_adapter"
    title = "Tip-Adapter"
    what = "Zero-shot with a cache of the labelled images' embeddings; no training."
    source = "Zhang et al., ECCV 2022, arXiv 2207.09519"
    kept = ("keys", "labels", "strengths")
    any_classes = True
    beside = ("student",)

    def __init__(self, bench: Bench, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(bench, options)
        self.keys, self.labels, self.strengths = torch.empty(0, 0), torch.empty(0), torch.empty(0)

    def learn(self, task: Task) -> None:
        self.keys, self.labels = self._seen(task.project, task.shots.image_ids), torch.tensor(task.shots.labels)
        selection = self._seen(task.project, task.selection.image_ids)
        zero_shot = self._zero_shot(task.project, selection, task.classes)
        values = one_hot(self.labels, len(task.classes)).float()  # (N, C)
        near = selection @ self.keys.T  # (V, N)
        self.strengths = torch.tensor(strengths(zero_shot, near, values, torch.tensor(task.selection.labels)))

    def logits(self, project: ProjectData, image_ids: Sequence[str], classes: Sequence[str]) -> Tensor:
        seen, (alpha, beta) = self._seen(project, image_ids), self.strengths.tolist()
        # A column for each class, empty where it has no training image.
        cached = [self.labels == self.classes.index(key) if key in self.classes else self.labels < 0 for key in classes]
        values = torch.stack(cached, dim=1).float()  # (N, C)
        return self._zero_shot(project, seen, classes) + cache(seen @ self.keys.T, values, alpha, beta)

    def _seen(self, project: ProjectData, image_ids: Sequence[str]) -> Tensor:
        return self.bench.see(self.towers, project, image_ids).cpu()

    def _zero_shot(self, project: ProjectData, seen: Tensor, classes: Sequence[str]) -> Tensor:
        return self.towers.logit_scale * seen @ self.bench.read_classes(self.towers, project, classes).cpu().T


def cache(near: Tensor, values: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha exp(-beta (1 - near)) values: cosines to the keys (B, N), and their labels (N, C) -> (B, C)."""
    return alpha * torch.exp(-beta * (1 - near)) @ values


def strengths(zero_shot: Tensor, near: Tensor, values: Tensor, labels: Tensor) -> tuple[float, float]:
    """alpha and beta under which most images are right, the likeliest pair at a tie; ALPHA and BETA without any.

    Args:
        zero_shot: (V, C) logits. near: (V, N) cosines to the keys. values: (N, C). labels: (V,).
    """
    if not len(labels):
        return ALPHA, BETA
    betas, alphas = (
        [0.1 + (largest - 0.1) * place / count for place in range(count)]
        for largest, count in ((LARGEST_BETA, BETAS), (LARGEST_ALPHA, ALPHAS))
    )
    found: list[tuple[int, float, float, float]] = []
    for beta in betas:
        added = cache(near, values, 1.0, beta)  # (V, C)
        for alpha in alphas:
            logits = zero_shot + alpha * added
            right = int((logits.argmax(1) == labels).sum())
            found.append((right, -cross_entropy(logits, labels).item(), alpha, beta))
    _, _, alpha, beta = max(found)
    return alpha, beta

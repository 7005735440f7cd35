"""Class mean: the class whose mean training image is nearest; nothing is trained (docs/method.md section 7)."""

from __future__ import annotations

import torch
from torch import Tensor

from avion_core.methods.frozen import Frozen
from avion_core.methods.method import Task
from avion_core.prototypes.text_prototypes import visual_prototypes


class ClassMean(Frozen):
    """logits = s f(x) . v_c, with v_c = normalize(mean_i f(x_i)) over the class's shots."""

    name = "class_mean"
    title = "class mean"
    what = "The mean image feature of each class's training images; no training."

    def solve(self, task: Task) -> tuple[Tensor, Tensor]:
        return self.by_cosine(self.means(task))

    def means(self, task: Task) -> Tensor:
        """v_c: (C, D), unit norm."""
        features = self.bench.see(self.towers, task.project, task.shots.image_ids)  # (N, D)
        return visual_prototypes(features, torch.tensor(task.shots.labels), task.classes)

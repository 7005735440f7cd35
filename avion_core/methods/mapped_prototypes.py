"""Mapped prototypes R p_c: the teacher's text prototypes carried into the student's space, without any training."""

from __future__ import annotations

from torch import Tensor

from avion_core.config import Stage
from avion_core.methods.frozen import Frozen
from avion_core.methods.method import Needs, Task


class MappedPrototypes(Frozen):
    """logits = s f(x) . R p_c, with R the closed-form map of docs/method.md section 5."""

    name = "mapped_prototypes"
    title = "mapped text prototypes"
    what = "The teacher's text prototypes carried into the student's space by the closed-form map; no training."
    needs = Needs(teacher=True, texts=True)
    Settings = Stage
    reads = ("descriptions", "prototypes", "distillation.map_texts")
    beside = ("student",)

    def solve(self, task: Task) -> tuple[Tensor, Tensor]:
        return self.by_cosine(task.projection(task.prototypes.vectors))

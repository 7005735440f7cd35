"""Text prototypes: the class whose kept descriptions are nearest to the image, without any training.

For the teacher these are its own p_c (docs/method.md section 3). For the student it is its own mean of the same
descriptions with the same weights, so that a gain from texts can be told from a gain from distillation. A class
without images, as novel ones are, has its descriptions weighed by RS-Flag alone: an extension, for the paper has no
such prototype.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.data.project import ProjectData
from avion_core.methods import texts
from avion_core.methods.frozen import Frozen
from avion_core.methods.method import Needs, Task


class TextPrototypes(Frozen):
    """logits = s f(x) . normalize(sum_j w_j g(d_j)), with w_j as the teacher's shots give them."""

    name = "text_prototypes"
    title = "text prototypes"
    what = "The weighted mean of the kept descriptions' embeddings; no training."
    needs = Needs(teacher=True, texts=True)
    drawn = ("teacher",)
    reads = ("descriptions", "prototypes")
    any_classes = True

    def solve(self, task: Task) -> tuple[Tensor, Tensor]:
        prototypes = task.prototypes
        if self.model == "teacher":
            return self.by_cosine(prototypes.vectors)
        table = prototypes.table[prototypes.table["kept"]]
        g = self.bench.read(self.towers, list(table["text"])).double().cpu()  # (M, D_S)
        weights = torch.tensor(table["weight"].to_numpy(dtype=float))
        places = torch.tensor([task.classes.index(key) for key in table["class_key"]], dtype=torch.long)
        vectors = torch.zeros(len(task.classes), self.towers.dim, dtype=torch.float64)
        vectors.index_add_(0, places, weights[:, None] * g)
        empty = vectors.norm(dim=1) == 0
        if empty.any():  # a class that the run lets fall back to its sentence has no kept description
            sentences = self.bench.read_classes(self.towers, task.project, task.classes).double().cpu()
            vectors[empty] = sentences[empty]
        return self.by_cosine(normalize(vectors, dim=1))

    def head(self, project: ProjectData, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
        return self.with_unseen(classes, lambda keys: texts.without_images(self.bench, self.towers, project, keys))

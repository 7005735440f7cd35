"""Class mean + text: the class mean with the class's sentence added; a very strong floor (docs/method.md section 7).

A class without images, as novel ones are, has its sentence alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import normalize

from avion_core.data.project import ProjectData
from avion_core.methods.class_mean import ClassMean
from avion_core.methods.method import Task


class ClassMeanText(ClassMean):
    """logits = s f(x) . normalize(v_c + g(c))."""

    name = "class_mean_text"
    title = "class mean + text"
    what = "The class mean with the class's sentence added; no training."
    drawn = ("student",)
    any_classes = True

    def solve(self, task: Task) -> tuple[Tensor, Tensor]:
        sentences = self.bench.read_classes(self.towers, task.project, task.classes)  # (C, D)
        return self.by_cosine(normalize(self.means(task) + sentences, dim=1))

    def head(self, project: ProjectData, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
        return self.with_unseen(classes, lambda keys: self.bench.read_classes(self.towers, project, keys))

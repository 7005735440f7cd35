"""Class mean + text: the class mean with the class's sentence added; a very strong floor (docs/method.md section 7)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import normalize

from avion_core.methods.class_mean import ClassMean
from avion_core.methods.method import Task


class ClassMeanText(ClassMean):
    """logits = s f(x) . normalize(v_c + g(c))."""

    name = "class_mean_text"
    title = "class mean + text"
    what = "The class mean with the class's sentence added; no training."
    drawn = ("student",)

    def solve(self, task: Task) -> tuple[Tensor, Tensor]:
        sentences = self.bench.read_classes(self.towers, task.project, task.classes)  # (C, D)
        return self.by_cosine(normalize(self.means(task) + sentences, dim=1))

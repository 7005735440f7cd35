"""Zero-shot: the class whose sentence is nearest to the image (Radford et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from avion_core.data.project import ProjectData
from avion_core.methods.frozen import Frozen
from avion_core.methods.method import Needs, Task


class ZeroShot(Frozen):
    """logits = s f(x) . g(c), with the run's one template."""

    name = "zero_shot"
    title = "zero-shot"
    what = "The model as it comes, by the class names in the template."
    source = "Radford et al., 2021"
    needs = Needs(shots=False)
    any_classes = True
    retrieves = True

    def solve(self, task: Task) -> tuple[Tensor, Tensor]:
        return self.head(task.project, task.classes)

    def head(self, project: ProjectData, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
        return self.by_cosine(self.bench.read_classes(self.towers, project, classes))

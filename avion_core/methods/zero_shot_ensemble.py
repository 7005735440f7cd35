"""Zero-shot with an ensemble of sentences: the mean of a class's embeddings over thirty templates.

Radford et al., 2021, section 3.1.4. The templates are this project's (`methods.templates`), not the about 105 that
GeoRSCLIP's published zero-shot figures were made with.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import normalize

from avion_core.backbones.towers import Towers
from avion_core.data.project import ProjectData
from avion_core.methods.bench import Bench
from avion_core.methods.templates import TEMPLATES
from avion_core.methods.zero_shot import ZeroShot


class ZeroShotEnsemble(ZeroShot):
    """logits = s f(x) . normalize(mean_t g(t(c)))."""

    name = "zero_shot_ensemble"
    title = "zero-shot, ensemble"
    what = "The model as it comes, by the class names in thirty templates."
    source = "Radford et al., 2021"

    retrieves = False  # captions have no templates

    def head(self, project: ProjectData, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
        return self.by_cosine(ensemble(self.bench, self.towers, [project.class_names[key] for key in classes]))


def ensemble(bench: Bench, towers: Towers, names: Sequence[str]) -> Tensor:
    """The mean embedding of each class name over the templates: (C, D) of unit norm."""
    g = bench.read(towers, [template.format(name) for template in TEMPLATES for name in names])  # (T C, D)
    return normalize(g.view(len(TEMPLATES), len(names), -1).mean(0), dim=1)

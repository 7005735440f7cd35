"""Base-to-novel: train on half of the classes, measure on both halves (docs/method.md section 7).

Base images are told apart among base classes, novel ones among novel classes, and their harmonic mean sums it up. In
the generalised setting both are told apart among all classes, as in use nobody says which half an image is of (Xian et
al., 2018, arXiv 1707.00600). Nothing of the novel classes is used in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from avion_core.config import RunConfig
from avion_core.data.project import ProjectData
from avion_core.data.splits import base_and_novel
from avion_core.errors import ConfigError
from avion_core.metrics.harmonic import harmonic_mean
from avion_core.protocols.protocol import Part, Protocol

FEWEST_NOVEL = 2
"""One class among itself alone would be 100 % by construction."""
BASE_AMONG_ALL, NOVEL_AMONG_ALL = "base_among_all", "novel_among_all"
"""The parts of the generalised setting."""


class BaseToNovel(Protocol):
    name = "base-to-novel"
    title = "Base-to-novel"
    what = "Trains on half of the classes; measures on both halves and takes their harmonic mean."
    paper_epochs = 50

    def trained_classes(self, class_names: Mapping[str, str], config: RunConfig) -> list[str]:
        return _halves(class_names, config)[0]

    def parts(self, project: ProjectData, others: Sequence[ProjectData], config: RunConfig) -> list[Part]:
        base, novel = _halves(project.class_names, config)
        return [
            Part("base", "Base classes", project, base, trained=True),
            Part("novel", "Novel classes", project, novel, trained=False),
            Part(BASE_AMONG_ALL, "Base classes, among all", project, [*base, *novel], False, tuple(base)),
            Part(NOVEL_AMONG_ALL, "Novel classes, among all", project, [*base, *novel], False, tuple(novel)),
        ]

    def summary(self, accuracies: Mapping[str, float]) -> dict[str, float]:
        found = {"harmonic_mean": harmonic_mean(accuracies["base"], accuracies["novel"])}
        if BASE_AMONG_ALL in accuracies:  # a report of before the generalised setting lacks it
            among_all = accuracies[BASE_AMONG_ALL], accuracies[NOVEL_AMONG_ALL]
            found["generalised_harmonic_mean"] = harmonic_mean(*among_all)
        return found


def _halves(class_names: Mapping[str, str], config: RunConfig) -> tuple[list[str], list[str]]:
    if len(class_names) // 2 < FEWEST_NOVEL:
        hint = "Make four classes or more, or set protocol.name to few-shot."
        raise ConfigError("base-to-novel needs two novel classes or more", hint, value=f"{len(class_names)} classes")
    return base_and_novel(class_names, config.protocol.novel_policy, config.data.seed)

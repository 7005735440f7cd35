"""A protocol for tests, in one file, that spans projects: train on one, measure on it and on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from avion_core.config import RunConfig
from avion_core.data.project import ProjectData
from avion_core.protocols.protocol import Part, Protocol


class Transfer(Protocol):
    name = "transfer"
    title = "Transfer"
    what = "Trains on one project; measures on it and on others."
    spans_projects = True

    def parts(self, project: ProjectData, others: Sequence[ProjectData], config: RunConfig) -> list[Part]:
        here = Part("here", "This project", project, list(project.class_names), trained=True)
        return [here, *(Part(o.name, f"Project {o.name}", o, list(o.class_names), trained=False) for o in others)]

    def summary(self, accuracies: Mapping[str, float]) -> dict[str, float]:
        return {"mean_accuracy": sum(accuracies.values()) / len(accuracies)}

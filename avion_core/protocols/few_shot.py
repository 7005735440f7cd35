"""Few-shot: K labelled images of every class, measured on all classes (docs/method.md section 7)."""

from __future__ import annotations

from collections.abc import Sequence

from avion_core.config import RunConfig
from avion_core.data.project import ProjectData
from avion_core.protocols.protocol import Part, Protocol


class FewShot(Protocol):
    name = "few-shot"
    title = "Few-shot"
    what = "Trains on K labelled images of every class; measures on all classes."
    drawn_over = "shots"

    def parts(self, project: ProjectData, others: Sequence[ProjectData], config: RunConfig) -> list[Part]:
        return [Part("all", "", project, self.trained_classes(project.class_names, config), trained=True)]

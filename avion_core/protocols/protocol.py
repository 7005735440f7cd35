"""What a protocol is: the classes that a run trains on, the parts it is measured on, and what sums them up.

docs/method.md section 7. A protocol is one file beside this one and one line in PROTOCOLS (docs/add-a-protocol.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from avion_core.config import RunConfig
from avion_core.data.project import LabelledImages, ProjectData, held_out_images
from avion_core.errors import ConfigError
from avion_core.methods import METHODS, find_method


@dataclass(frozen=True)
class Part:
    """Classes that images are told apart among, with the images."""

    name: str
    """In the report ("base")."""
    title: str
    """For people ("Base classes"); "" where a protocol has one part alone."""
    project: ProjectData
    """Whose classes and images; not always the one that was trained on."""
    classes: list[str]
    """C class keys."""
    trained: bool
    """Whether training saw labelled images of these classes."""
    shown: tuple[str, ...] | None = None
    """The classes whose images are asked about, where these are fewer than are told apart; None for all."""
    metric: str = "accuracy"
    """The figure that answers first."""

    def images(self, config: RunConfig, split: str) -> LabelledImages:
        """The part's images of "validation" (min(K, 4) a class) or "test" (the sealed set)."""
        found = held_out_images(self.project, config, self.classes, split)
        if self.shown is None:
            return found
        asked = [(i, label) for i, label in zip(found.image_ids, found.labels, strict=True) if self.asks(label)]
        return LabelledImages([image for image, _ in asked], [label for _, label in asked])

    def asks(self, label: int) -> bool:
        """Whether images of the class at a place in `classes` are asked about."""
        return self.shown is None or self.classes[label] in self.shown


class Protocol(ABC):
    """A way of training and measuring."""

    name: ClassVar[str]
    """In settings and reports."""
    title: ClassVar[str]
    what: ClassVar[str]
    """`title`, `what`: for people."""
    paper_epochs: ClassVar[int] = 100
    """The paper's passes over the training images (docs/method.md section 6)."""
    drawn_over: ClassVar[Literal["shots", "seeds"]] = "seeds"
    """What its runs are shown over: a curve over shots, or a table over seeds."""
    spans_projects: ClassVar[bool] = False
    """Whether `protocol.projects` names other projects to measure on."""
    needs_projects: ClassVar[bool] = True
    """Whether a protocol that spans projects cannot do without others."""
    by_captions: ClassVar[bool] = False
    """Whether it trains and measures on images with captions, and not on classes."""

    def trained_classes(self, class_names: Mapping[str, str], config: RunConfig) -> list[str]:
        """Keys of the classes whose labelled images a run trains on, in order; all of them unless a protocol says so.

        Raises:
            ConfigError: the protocol cannot be run with these classes.
        """
        return list(class_names)

    @abstractmethod
    def parts(self, project: ProjectData, others: Sequence[ProjectData], config: RunConfig) -> list[Part]:
        """What a run is measured on; those that were trained on first.

        Args:
            project: the project that is trained on. others: those that `protocol.projects` names, in its order; none
                where the parts of `project` alone are wanted.
        """

    def summary(self, accuracies: Mapping[str, float]) -> dict[str, float]:
        """Figures over the parts by name, such as a harmonic mean; none where a protocol has one part alone.

        Args:
            accuracies: part -> accuracy in percent, of every part of the protocol.
        """
        return {}

    def check(self, config: RunConfig) -> None:
        """See that a run's settings fit the protocol; asked before the run is made.

        Raises:
            ConfigError: other projects are named and not used, or needed and not named; or a method that cannot do
                what is measured.
        """
        projects = config.protocol.projects
        if projects and not self.spans_projects:
            hint = "Leave it empty, or choose a protocol that spans projects."
            raise ConfigError(f"protocol.projects cannot be used with {self.name}", hint, value=projects)
        if len(set(projects)) < len(projects):
            raise ConfigError("protocol.projects names a project twice", "Name each project once.", value=projects)
        if self.spans_projects and self.needs_projects and not projects:
            hint = "Name at least one other project in protocol.projects."
            raise ConfigError(f"{self.name} measures on other projects, and none is named", hint)
        if self.by_captions and not find_method(config.method).retrieves:
            able = ", ".join(name for name in METHODS if find_method(name).retrieves)
            what = f"{self.name} needs a method that embeds images and texts apart from each other"
            raise ConfigError(what, f"Choose one of: {able}.", value=config.method)

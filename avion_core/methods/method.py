"""What a method is: what it takes, how it is fitted, and the logits it gives.

A method knows no protocol and no report: `protocols.harness` fits it on a task and asks it for logits part by part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from avion_core.backbones.projection import Projection
from avion_core.backbones.towers import ImageTower
from avion_core.config import RunConfig, Stage
from avion_core.data.captioned import Captioned
from avion_core.data.project import LabelledImages, ProjectData, held_out_images, training_images
from avion_core.methods import texts
from avion_core.methods.bench import Bench, Model
from avion_core.methods.events import Event
from avion_core.prototypes.text_prototypes import TextPrototypes


@dataclass(frozen=True)
class Needs:
    """What a method takes; what it does not take, a run of it does not ask for."""

    pixels: bool = False
    """The images themselves, again and again; else embeddings that are computed once."""
    teacher: bool = False
    """The teacher, beside the student."""
    texts: bool = False
    """Curated descriptions."""
    shots: bool = True
    """Labelled training images."""
    backward: bool = False
    """It is trained step by step: it has curves, and can be stopped and resumed."""
    layers: bool = False
    """The student's own layers, which a CLIP model from open_clip has."""


@dataclass(frozen=True)
class StepSize:
    """What one step of a training takes through the student's encoders and back."""

    images: int
    """Images; 0 where their embeddings are computed once."""
    texts: int
    """Texts; 0 where their embeddings are computed once."""
    image_tokens: int = 0
    text_tokens: int = 0
    """`image_tokens`, `text_tokens`: learned tokens beside the patches and the words."""
    weights: bool = False
    """Whether the encoders' own weights get gradients."""
    precision: str = "float32"
    """Number format of the encoders, as the run's settings name it."""


@dataclass(frozen=True)
class Task:
    """What a method is fitted on: C classes of a project with their labelled training images."""

    project: ProjectData
    classes: list[str]
    config: RunConfig
    bench: Bench
    folder: Path | None = None
    """Where the run keeps its files; None for a method that is only measured."""
    selects: bool = True
    """Whether validation images may choose a method's settings; not when they are what it is measured on."""
    should_stop: Callable[[], bool] = field(default=lambda: False)
    """Asked after every step of a training; True saves and stops."""
    captioned: Sequence[Captioned] = ()
    """Images with captions to train on, project by project, where a protocol trains on these and not on classes."""
    watched: Captioned | None = None
    """Images with captions that such a training is watched with."""

    @property
    def training_images(self) -> int:
        """How many images are trained on."""
        return sum(len(part.image_ids) for part in self.captioned) if self.captioned else len(self.shots.image_ids)

    @cached_property
    def shots(self) -> LabelledImages:
        """The labelled training images."""
        return training_images(self.project, self.config, self.classes)

    @cached_property
    def validation(self) -> LabelledImages:
        """The validation images of these classes, min(K, 4) a class."""
        return held_out_images(self.project, self.config, self.classes, "validation")

    @cached_property
    def selection(self) -> LabelledImages:
        """The images that may choose a method's settings; none where it is measured on them."""
        return self.validation if self.selects else LabelledImages([], [])

    @cached_property
    def prototypes(self) -> TextPrototypes:
        """The teacher's text prototypes p_c from the project's descriptions, judged on the shots."""
        return texts.judged(self)

    @cached_property
    def projection(self) -> Projection:
        """R, the closed-form map from the teacher's space to the student's."""
        return texts.fitted_map(self)

    def measured_on(self, split: str) -> Task:
        """The same task for a method that will be measured on a split."""
        return replace(self, selects=split != "validation")


class Method(ABC):
    """A way to tell classes apart."""

    name: ClassVar[str]
    """In settings and reports."""
    title: ClassVar[str]
    what: ClassVar[str]
    """`title`, `what`: for people, without the model."""
    source: ClassVar[str] = ""
    """The paper it is written from: authors, place, year; "" for this project's own floors."""
    needs: ClassVar[Needs] = Needs()
    """See `Needs`."""
    Settings: ClassVar[type[Stage]] = Stage
    """Its own settings (`options.*` of a run)."""
    reads: ClassVar[tuple[str, ...]] = ()
    """The run's shared settings that it uses, by the beginning of their dotted keys; models, data, protocol, device and
    the template are every method's."""
    any_classes: ClassVar[bool] = False
    """Whether it can tell classes apart that it had no labelled image of."""
    transductive: ClassVar[bool] = False
    """Whether what it says of an image depends on the other images that it is asked about; its rows say so."""
    trains_student: ClassVar[bool] = False
    """Whether it leaves an adapted student, to predict, map and export with."""
    retrieves: ClassVar[bool] = False
    """Whether its `towers` embed images and texts apart from each other, so that either can be found by the other."""
    file: ClassVar[str] = "method.safetensors"
    """What `save` writes into a run's folder."""
    beside: ClassVar[tuple[Model, ...]] = ()
    """The models with which it stands as a row beside every evaluation."""
    drawn: ClassVar[tuple[Model, ...]] = ()
    """The models with which it is a line in the curve over shots, beside the run's own."""
    curves: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Figures of its steps to draw, name -> (title, one sentence), beside losses and validation accuracy."""

    model: Model = "student"
    """Whose eyes it sees with."""

    def __init__(self, bench: Bench, options: Mapping[str, Any] | None = None) -> None:
        self.bench = bench
        self.settings = self.Settings.model_validate(options or {})

    @classmethod
    def row_title(cls, model: Model) -> str:
        """What a report calls its row: "AVION", "Student, class mean"."""
        title = f"{cls.title} (transductive)" if cls.transductive else cls.title
        return title if cls.needs.backward else f"{model.capitalize()}, {title}"

    @classmethod
    def models(cls, config: RunConfig) -> set[Model]:
        """The models that a run of it opens."""
        return {"student", "teacher"} if cls.needs.teacher else {"student"}

    @classmethod
    def steps(cls, config: RunConfig, images: int) -> int:
        """Steps of a training on so many images; 0 for a method that is solved in closed form."""
        return 0

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        """What a step of a training on C classes takes through the encoders; nothing for methods on embeddings."""
        return StepSize(0, 0)

    @classmethod  # noqa: B027
    def check(cls, config: RunConfig) -> None:
        """See that the run's settings fit the method; asked before a run is made.

        Raises:
            ConfigError: they do not.
        """

    @abstractmethod
    def fit(self, task: Task) -> Iterator[Event]:
        """Learn from a task, telling how far it is; what it learnt is in `task.folder` at the end, where there is one.

        A training that is asked to stop saves and ends with `Stopped`; fitted again in the same folder, it goes on.
        """

    @property
    @abstractmethod
    def towers(self) -> ImageTower:
        """What it sees images with, once it is fitted."""

    @abstractmethod
    def logits(self, project: ProjectData, image_ids: Sequence[str], classes: Sequence[str]) -> Tensor:
        """(N, C) float32 on the CPU: images of a project among some of its classes.

        Args:
            classes: those that it was fitted on, or any others where `any_classes` says so.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what it learnt."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read what `save` wrote.

        Raises:
            CheckpointError: the file is missing, damaged, or was made on other weights.
        """

    @property
    def trained_parameters(self) -> int:
        """How many numbers were fitted; 0 where nothing is trained."""
        return 0

    def summary(self) -> dict[str, Any]:
        """Further figures of its fit for the run's record."""
        return {}

"""Methods on frozen features of one model; most are logits = f(x) W^T + b, with W solved in closed form.

"Teacher, class mean" is the same method as "student, class mean", with `model = teacher`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel
from torch import Tensor

from avion_core.backbones.towers import Towers
from avion_core.config import RunConfig, Stage
from avion_core.data.project import ProjectData
from avion_core.distill.tensor_file import read_tensors, write_tensors
from avion_core.errors import CheckpointError
from avion_core.methods.bench import Bench, Model
from avion_core.methods.events import Event, Saved
from avion_core.methods.method import Method, Task


class FrozenSettings(Stage):
    model: Literal["student", "teacher"] = "student"
    """Whose frozen features it works on: the student's backbone, or the teacher."""


class _Facts(BaseModel):
    method: str
    weights_hash: str
    classes: list[str]


class FrozenFeatures(Method):
    """A classifier on frozen features; a subclass says what it learns and keeps."""

    Settings = FrozenSettings
    beside = ("student", "teacher")
    kept: ClassVar[tuple[str, ...]]
    """Names of the tensors that a fit sets and that are saved."""

    def __init__(self, bench: Bench, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(bench, options)
        self.model: Model = getattr(self.settings, "model", "student")
        self.classes: list[str] = []

    @classmethod
    def models(cls, config: RunConfig) -> set[Model]:
        own: Model = config.options.get("model", "student")
        return {own, "teacher"} if cls.needs.teacher else {own}

    @abstractmethod
    def learn(self, task: Task) -> None:
        """Set what `kept` names."""

    def fit(self, task: Task) -> Iterator[Event]:
        self.classes = list(task.classes)
        self.learn(task)
        if task.folder is not None:
            self.save(task.folder)
            yield Saved("method", task.folder / self.file)

    @property
    def towers(self) -> Towers:
        return self.bench.towers(self.model)

    def save(self, folder: Path) -> None:
        facts = {"method": self.name, "model": self.model, "classes": self.classes}
        facts |= {"weights_hash": self.towers.weights_hash}
        write_tensors(folder / self.file, {name: getattr(self, name) for name in self.kept}, facts)

    def load(self, folder: Path) -> None:
        tensors, facts = read_tensors(folder / self.file, f"a fitted {self.title}", self.kept, _Facts)
        if (facts["method"], facts["weights_hash"]) != (self.name, self.towers.weights_hash):
            raise CheckpointError(
                f"{self.file} was fitted by {facts['method']} on other weights than {self.towers.name}",
                "Put back the weights that the run began with, or start a new run.",
                value=facts["weights_hash"],
            )
        self.classes = facts["classes"]
        for name in self.kept:
            setattr(self, name, tensors[name])


class Frozen(FrozenFeatures):
    """A linear classifier on frozen features; a subclass says how W and b come about."""

    kept = ("weights", "bias")

    def __init__(self, bench: Bench, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(bench, options)
        self.weights, self.bias = torch.empty(0, 0), torch.empty(0)

    @abstractmethod
    def solve(self, task: Task) -> tuple[Tensor, Tensor]:
        """W (C, D) and b (C,), so that logits = f(x) W^T + b."""

    def learn(self, task: Task) -> None:
        self.weights, self.bias = self.solve(task)

    def by_cosine(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """W and b of logits = s cos(f(x), vector_c), with the model's own scale s; vectors (C, D) of unit norm."""
        return self.towers.logit_scale * vectors.cpu().float(), torch.zeros(len(vectors))

    def head(self, project: ProjectData, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
        """W and b of these classes."""
        places = [self.classes.index(key) for key in classes]
        return self.weights[places], self.bias[places]

    def with_unseen(self, classes: Sequence[str], vectors: Callable[[list[str]], Tensor]) -> tuple[Tensor, Tensor]:
        """W and b of these classes; those that it was not fitted on get a vector of unit norm instead.

        Args:
            vectors: K class keys -> (K, D).
        """
        unseen = [key for key in classes if key not in self.classes]
        weights, bias = torch.empty(len(classes), self.towers.dim), torch.zeros(len(classes))
        for place, key in enumerate(classes):
            if key in self.classes:
                weights[place], bias[place] = self.weights[self.classes.index(key)], self.bias[self.classes.index(key)]
        if unseen:
            places = [place for place, key in enumerate(classes) if key in unseen]
            weights[places] = self.by_cosine(vectors(unseen))[0]
        return weights, bias

    def logits(self, project: ProjectData, image_ids: Sequence[str], classes: Sequence[str]) -> Tensor:
        weights, bias = self.head(project, classes)
        return self.bench.see(self.towers, project, image_ids).cpu() @ weights.T + bias

    def load(self, folder: Path) -> None:
        super().load(folder)
        weights, bias = self.weights, self.bias
        if weights.shape != (len(self.classes), self.towers.dim) or bias.shape != (len(self.classes),):
            raise CheckpointError(
                f"the tensors of {self.file} do not fit its {len(self.classes)} classes",
                "Restore the file from a copy of the run's folder, or start a new run.",
                value=f"{folder / self.file}, weights {tuple(weights.shape)}, bias {tuple(bias.shape)}",
            )

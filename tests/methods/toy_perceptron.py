"""A method for tests, in one file, that is trained step by step: a perceptron on frozen features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from pydantic import Field

from avion_core.config import RunConfig
from avion_core.methods.events import Event, Metrics, Saved, Stopped
from avion_core.methods.frozen import Frozen, FrozenSettings
from avion_core.methods.method import Needs, Task


class PerceptronSettings(FrozenSettings):
    passes: int = Field(default=2, ge=1)
    """Passes over the training images."""


class Perceptron(Frozen):
    """W moves to the images that it gets wrong (Rosenblatt, 1958)."""

    name = "perceptron"
    title = "Perceptron"
    what = "A linear classifier that learns from its mistakes."
    needs = Needs(backward=True)
    Settings = PerceptronSettings
    beside = ()
    curves: ClassVar = {"mistakes": ("Mistakes", "Training images that were wrong when they came up.")}

    @classmethod
    def steps(cls, config: RunConfig, images: int) -> int:
        return cls.Settings.model_validate(config.options).passes

    def solve(self, task: Task) -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("a perceptron is trained, not solved")

    def fit(self, task: Task) -> Iterator[Event]:
        assert task.folder is not None
        features = self.bench.see(self.towers, task.project, task.shots.image_ids)
        self.classes = list(task.classes)
        self.weights, self.bias = torch.zeros(len(self.classes), self.towers.dim), torch.zeros(len(self.classes))
        for number in range(self.settings.passes):
            mistakes = 0
            for image, label in zip(features, task.shots.labels, strict=True):
                said = int((self.weights @ image).argmax())
                if said != label:
                    self.weights[label] += image
                    self.weights[said] -= image
                    mistakes += 1
            self.save(task.folder)
            yield Metrics(number + 1, self.settings.passes, number + 1, {"mistakes": float(mistakes)})
            if task.should_stop():
                yield Stopped(number + 1, self.settings.passes)
                return
        yield Saved("method", task.folder / self.file)

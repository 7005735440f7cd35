"""What a step-trained baseline learns: a module on the frozen encoders, and the loop that trains it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import PIL.Image
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.towers import ImageTower, hash_weights
from avion_core.distill.loop import Loop
from avion_core.methods.training_settings import WARMUP_RATE, TrainingSettings


class Learner(nn.Module):
    """Logits of images among classes, by what was learned; its parameters are all that is trained.

    This base is zero-shot: a subclass says what it changes. B images, C classes; D is the embeddings' dimension.

    Args:
        encoders: the frozen student's.
        template: the sentence around a class name.
    """

    changes_images: ClassVar[bool] = True
    """Whether what is learned is part of the image side; else the images' embeddings are computed once."""

    def __init__(self, encoders: FrozenEncoders, template: str) -> None:
        super().__init__()
        self.encoders, self.template = encoders, template
        self.scale = encoders.backbone.logit_scale
        self.dropping = torch.Generator()
        """Where dropout draws from; begins again at each step, so that a resumed run draws the same."""

    @property
    def dim(self) -> int:
        """How many numbers `see` gives an image."""
        return self.encoders.backbone.dim

    def see(self, pixels: Tensor) -> Tensor:
        """pixels (B, 3, S, S) uint8 -> what the classes are compared with, (B, D)."""
        return self.encoders.image(pixels)

    def read(self, names: Sequence[str]) -> Any:
        """What can be computed of C class names once, for `logits`: here their sentences' embeddings (C, D)."""
        return self.encoders.backbone.encode_text(self.sentences(names))

    def logits(self, seen: Tensor, classes: Any) -> Tensor:
        """(B, C): `seen` by `see`, among `classes` by `read`."""
        return self.scale * seen @ classes.T

    def losses(self, seen: Tensor, classes: Any, labels: Tensor, places: Tensor) -> dict[str, Tensor]:
        """The loss to descend on under "loss", and its parts.

        Args:
            labels: (B,) places among the classes. places: (B,) which of the training images these are.
        """
        task = F.cross_entropy(self.logits(seen, classes), labels)
        return {"task": task, "loss": task}

    def after_step(self) -> None:
        """What follows each step."""

    def after_epoch(self, epoch: int, epochs: int) -> None:
        """What follows each pass over the training images, counted from 1."""

    def sentences(self, names: Sequence[str]) -> list[str]:
        """The classes' sentences."""
        return [self.template.format(name) for name in names]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.encoders.backbone.device

    def tower(self) -> ImageTower:
        """What images are seen with, so that what it gives is kept by content."""
        return LearnerTower(self) if self.changes_images else self.encoders.backbone


class LearnerTower:
    """`see` as an image tower."""

    def __init__(self, learner: Learner) -> None:
        backbone = learner.encoders.backbone
        self.learner, self.backbone = learner, backbone
        self.name = f"{type(learner).__name__} on {backbone.name}"
        self.image_size, self.view, self.device = backbone.image_size, backbone.view, backbone.device
        self.dim = learner.dim
        own = hash_weights(learner) if learner.changes_images else type(learner).__name__
        facts = f"{backbone.weights_hash} {own} {learner.encoders.precision}"
        self.weights_hash = hashlib.sha256(facts.encode()).hexdigest()[:16]

    def prepare(self, image: PIL.Image.Image) -> Tensor:
        """The backbone's view of an RGB image: uint8 (3, S, S)."""
        return self.backbone.prepare(image)

    def encode_image(self, pixels: Tensor, precision: str = "float32") -> Tensor:
        """uint8 (B, 3, S, S) -> float32 (B, D); the learner's own precision holds."""
        with torch.no_grad():
            return self.learner.see(pixels.to(self.device))


@dataclass(frozen=True)
class Lesson:
    """What a learner is trained on: N images, and V held-out ones to watch it with."""

    views: Tensor
    """(N, 3, S, S) uint8; or (N, D), what `see` gives, where nothing that is learned changes it."""
    image_ids: list[str]
    labels: Tensor
    """(N,) places among the classes."""
    classes: Any
    """What `read` gives of the class names."""
    held_out: Tensor
    """(V, 3, S, S) or (V, D); V may be 0."""
    held_out_labels: Tensor


class LearnerLoop(Loop):
    """The steps of a learner."""

    keeps_best = False

    def __init__(self, learner: Learner, lesson: Lesson, settings: TrainingSettings, steps: int, seed: int) -> None:
        super().__init__(lesson.image_ids, settings, steps, seed)
        self.learner, self.lesson, self.own = learner, lesson, settings
        trained = [parameter for parameter in learner.parameters() if parameter.numel()]
        rate, decay = settings.learning_rate, settings.weight_decay
        if settings.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(trained, rate, momentum=0.9, weight_decay=decay)
        else:
            self.optimizer = torch.optim.AdamW(trained, rate, eps=settings.epsilon, weight_decay=decay)

    def learned(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self.learner.state_dict().items()}

    def put_back(self, learned: Mapping[str, Tensor]) -> None:
        self.learner.load_state_dict(dict(learned))

    def rate(self, step: int) -> float:
        """Constant in the warm-up, then by the schedule; lowered every step, where Dassl lowers it every epoch."""
        warm = min(self.own.warmup_epochs * self.steps_per_epoch, self.steps // 2)
        if step < warm:
            return min(WARMUP_RATE, self.own.learning_rate)
        if self.own.schedule == "constant":
            return self.own.learning_rate
        height = self.own.learning_rate - self.own.lowest_rate
        return self.own.lowest_rate + height * 0.5 * (1 + math.cos(math.pi * (step - warm) / (self.steps - warm)))

    def losses(self, batch: Tensor, step: int) -> dict[str, Tensor]:
        self.learner.train()
        self.learner.dropping.manual_seed(self.seed * 1_000_003 + step)
        places = batch.to(self.lesson.labels.device)
        seen = self._seen(self.lesson.views[places])
        return self.learner.losses(seen, self.lesson.classes, self.lesson.labels[places], places)

    def after_step(self) -> dict[str, Tensor]:
        self.learner.after_step()
        epoch, rest = divmod(self.state.step + 1, self.steps_per_epoch)
        if rest == 0:
            self.learner.after_epoch(epoch, self.steps // self.steps_per_epoch)
        return {}

    def right(self) -> Tensor:
        lesson = self.lesson
        if not len(lesson.held_out_labels):
            return torch.empty(0, dtype=torch.bool)
        self.learner.eval()
        parts = [
            self.learner.logits(self._seen(part, training=False), lesson.classes).argmax(1)
            for part in lesson.held_out.split(EVALUATED_AT_ONCE)
        ]
        return torch.cat(parts) == lesson.held_out_labels

    def _seen(self, views: Tensor, *, training: bool = True) -> Tensor:
        if views.dtype != torch.uint8:
            return views
        with torch.set_grad_enabled(training and self.learner.changes_images):
            return self.learner.see(self.view(views) if training else views)


EVALUATED_AT_ONCE = 32

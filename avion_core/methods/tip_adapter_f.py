"""Tip-Adapter-F: Tip-Adapter with its keys trained (Zhang et al., ECCV 2022, arXiv 2207.09519, section 3.2).

The keys start as the training images' embeddings and are trained with the first alpha and beta; these are then chosen
on validation images, so that its figure on these is the one it was chosen by. The last step counts; the authors' code
reports the best epoch on the test set.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import one_hot

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.config import RunConfig
from avion_core.methods.learner import Learner
from avion_core.methods.method import StepSize, Task
from avion_core.methods.step_trained import StepTrained
from avion_core.methods.tip_adapter import ALPHA, BETA, cache, strengths
from avion_core.methods.training_settings import PassSettings


class TipAdapterFSettings(PassSettings):
    epsilon: ClassVar[float] = 1e-4

    epochs: int = Field(default=20, ge=1, le=10000)
    """Passes over the training images."""
    batch_size: int = Field(default=256, ge=1, le=4096)
    """Images per step."""
    optimizer: Literal["sgd", "adamw"] = "adamw"
    """Stochastic gradient descent with a momentum of 0.9, or AdamW."""
    learning_rate: float = Field(default=1e-3, ge=0, le=1)
    """The optimizer's learning rate."""
    weight_decay: float = Field(default=1e-2, ge=0, le=1)
    """Weight decay on all that is trained."""
    warmup_epochs: int = Field(default=0, ge=0, le=1000)
    """First passes, with a rate of 0.00001; never more than half of all passes."""


@dataclass(frozen=True)
class Cached:
    """Classes as the cache and zero-shot know them: texts (C, D), and values (N, C), one key's class in each row."""

    texts: Tensor
    values: Tensor


class TipAdapterFLearner(Learner):
    """Keys (N, D), one for each training image."""

    changes_images = False

    def __init__(self, encoders: FrozenEncoders, template: str) -> None:
        super().__init__(encoders, template)
        self.keys = nn.Parameter(torch.empty(0, self.dim))
        self.register_buffer("strengths", torch.tensor([ALPHA, BETA]))
        self.names: list[str] = []
        self.labels = torch.empty(0, dtype=torch.long)
        """`names`, `labels`: the trained classes, and the place of each key's among them."""

    def read(self, names: Sequence[str]) -> Cached:
        places = {name: place for place, name in enumerate(names)}
        among = torch.tensor([places.get(self.names[label], len(names)) for label in self.labels.tolist()])
        values = one_hot(among.long(), len(names) + 1)[:, :-1].float()  # a class that is not asked about has no column
        return Cached(super().read(names), values.to(self.device))

    def logits(self, seen: Tensor, classes: Cached) -> Tensor:
        alpha, beta = self.get_buffer("strengths").tolist()
        return super().logits(seen, classes.texts) + cache(seen @ self.keys.T, classes.values, alpha, beta)


class TipAdapterF(StepTrained[TipAdapterFLearner, TipAdapterFSettings]):
    """logits = s f(x) . g(c) + alpha exp(-beta (1 - f(x) F^T)) L, with F trained."""

    name = "tip_adapter_f"
    title = "Tip-Adapter-F"
    what = "Zero-shot with a trained cache of the labelled images' embeddings."
    source = "Zhang et al., ECCV 2022, arXiv 2207.09519"
    Settings = TipAdapterFSettings

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        return StepSize(0, 0, precision=cls.own(config).precision)

    def make(self, encoders: FrozenEncoders) -> TipAdapterFLearner:
        return TipAdapterFLearner(encoders, self.bench.config.model.template)

    def prepare(self, learner: TipAdapterFLearner, task: Task) -> None:
        seen = self.bench.see(self.bench.backbone(), task.project, task.shots.image_ids)
        learner.keys = nn.Parameter(seen.to(self.bench.device))
        learner.names = [task.project.class_names[key] for key in task.classes]
        learner.labels = torch.tensor(task.shots.labels)

    @torch.no_grad()
    def finish(self, learner: TipAdapterFLearner, task: Task) -> None:
        seen = self.bench.see(self.bench.backbone(), task.project, task.selection.image_ids).to(self.bench.device)
        classes = learner.read(learner.names)
        near, labels = seen @ learner.keys.T, torch.tensor(task.selection.labels, device=seen.device)
        zero_shot = Learner.logits(learner, seen, classes.texts)
        learner.get_buffer("strengths").copy_(torch.tensor(strengths(zero_shot, near, classes.values, labels)))

    def facts_of(self, learner: TipAdapterFLearner) -> dict[str, Any]:
        return {"names": learner.names, "labels": learner.labels.tolist()}

    def shape(self, learner: TipAdapterFLearner, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        learner.keys = nn.Parameter(torch.empty_like(tensors["keys"], device=self.bench.device))
        learner.names, learner.labels = facts["names"], torch.tensor(facts["labels"])

"""CLIP-LoRA: low-rank changes of queries, keys and values in every layer (Zanella and Ben Ayed, CVPR workshops 2024,
arXiv 2405.18541, section 4).

W x + (alpha / sqrt(r)) B A dropout(x), with A from Kaiming's uniform distribution and B = 0, so that training starts
from the backbone (the scaling is that of the authors' code). One set of settings serves all data sets: r = 2,
alpha = 1, 500 steps a shot, batches of 32, AdamW with a rate of 0.0002 that falls to 0.000001. The texts' common
beginning is run once a step, so all classes share its dropout.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenBlock, FrozenEncoders
from avion_core.backbones.text_side import TextBatch
from avion_core.config import RunConfig
from avion_core.errors import ConfigError
from avion_core.methods.learner import Learner
from avion_core.methods.method import StepSize
from avion_core.methods.step_trained import StepTrained
from avion_core.methods.training_settings import TrainingSettings


class ClipLoraSettings(TrainingSettings):
    lowest_rate: ClassVar[float] = 1e-6

    rank: int = Field(default=2, ge=1, le=256)
    """Rank of the changes."""
    alpha: float = Field(default=1.0, ge=0, le=1000)
    """Their strength, divided by the square root of the rank."""
    dropout: float = Field(default=0.25, ge=0, lt=1)
    """Share of the input that is dropped in training."""
    iterations: int = Field(default=500, ge=1, le=100_000)
    """Steps for each shot."""
    optimizer: Literal["sgd", "adamw"] = "adamw"
    """Stochastic gradient descent with a momentum of 0.9, or AdamW."""
    learning_rate: float = Field(default=2e-4, ge=0, le=1)
    """The optimizer's learning rate."""
    weight_decay: float = Field(default=1e-2, ge=0, le=1)
    """Weight decay on all that is trained."""
    warmup_epochs: int = Field(default=0, ge=0, le=1000)
    """First passes, with a rate of 0.00001; never more than half of all passes."""

    def steps(self, images: int, shots: int) -> int:
        return self.iterations * shots


class ClipLoraLearner(Learner):
    """A (layers, 3, r, width) and B (layers, 3, width, r) of both encoders; 3 for queries, keys and values."""

    def __init__(self, encoders: FrozenEncoders, template: str, seed: int, settings: ClipLoraSettings) -> None:
        super().__init__(encoders, template)
        visual = [block for block in encoders.visual_blocks if isinstance(block, FrozenBlock)]
        if not visual or len(visual) < len(encoders.visual_blocks):
            hint = "Choose a student such as georsclip-vit-b-32, or another method."
            said = "this method changes the attention of CLIP's own vision transformer, and this student has another"
            raise ConfigError(said, hint, value=encoders.backbone.name)
        self.strength, self.dropout = settings.alpha / math.sqrt(settings.rank), settings.dropout
        generator = torch.Generator().manual_seed(seed)

        def pair(blocks: Sequence[FrozenBlock], width: int) -> tuple[nn.Parameter, nn.Parameter]:
            shape = (len(blocks), 3, settings.rank, width)
            down = (2 * torch.rand(shape, generator=generator) - 1) / math.sqrt(width)
            return nn.Parameter(down), nn.Parameter(torch.zeros(len(blocks), 3, width, settings.rank))

        self.visual_a, self.visual_b = pair(visual, encoders.visual_width)
        self.text_a, self.text_b = pair(encoders.text_blocks, encoders.text_width)
        for side, blocks in (("visual", visual), ("text", encoders.text_blocks)):
            for layer, block in enumerate(blocks):
                block.added = partial(self._added, side, layer)

    def _added(self, side: str, layer: int, x: Tensor) -> Tensor:
        """(B, L, width) -> (B, L, 3 width)."""
        down, up = getattr(self, f"{side}_a")[layer], getattr(self, f"{side}_b")[layer]
        changes = [F.linear(F.linear(self._dropped(x), down[i]), up[i]) for i in range(3)]
        return self.strength * torch.cat(changes, dim=2)

    def _dropped(self, x: Tensor) -> Tensor:
        if not self.training or self.dropout == 0:
            return x
        kept = torch.rand(x.shape, generator=self.dropping).to(x.device) >= self.dropout
        return x * kept / (1 - self.dropout)

    def read(self, names: Sequence[str]) -> TextBatch:
        return self.encoders.tokenize(self.sentences(names))

    def logits(self, seen: Tensor, classes: TextBatch) -> Tensor:
        return self.scale * seen @ self.encoders.text(classes).T


class ClipLora(StepTrained[ClipLoraLearner, ClipLoraSettings]):
    """logits = s f(x) . g(c), with W + B A in the place of W."""

    name = "clip_lora"
    title = "CLIP-LoRA"
    what = "Trained low-rank changes of the attention in every layer of both encoders."
    source = "Zanella and Ben Ayed, CVPR workshops 2024, arXiv 2405.18541"
    Settings = ClipLoraSettings

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        return StepSize(own.batch_size, classes, precision=own.precision)

    def make(self, encoders: FrozenEncoders) -> ClipLoraLearner:
        config = self.bench.config
        return ClipLoraLearner(encoders, config.model.template, config.data.seed, self.settings)

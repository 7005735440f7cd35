"""Full fine-tuning: every weight of both encoders and the scale are trained, as GeoRSCLIP-FT is.

Zhang et al., IEEE TGRS 2024, arXiv 2306.11300, section V, train the whole model with CLIP's objective on image-caption
pairs. Labelled images have no captions: their classes' sentences stand for them, and the loss is the cross-entropy of
the logits, as when one fine-tunes like CLIP was pretrained (Goyal et al., CVPR 2023, arXiv 2212.00638), whose rate and
weight decay are the defaults.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.image_side import image_side
from avion_core.backbones.prompted import LOG_SCALE_LIMIT
from avion_core.backbones.text_side import TextBatch, text_side
from avion_core.backbones.towers import autocast
from avion_core.config import RunConfig
from avion_core.methods.learner import Learner
from avion_core.methods.method import StepSize
from avion_core.methods.step_trained import StepTrained
from avion_core.methods.training_settings import PassSettings


class FullFineTuningSettings(PassSettings):
    epochs: int = Field(default=20, ge=1, le=10000)
    """Passes over the training images."""
    learning_rate: float = Field(default=1e-5, ge=0, le=1)
    """The optimizer's learning rate."""
    optimizer: Literal["sgd", "adamw"] = "adamw"
    """Stochastic gradient descent with a momentum of 0.9, or AdamW."""
    weight_decay: float = Field(default=0.1, ge=0, le=1)
    """Weight decay on all that is trained."""
    checkpoint_seconds: float = Field(default=300.0, ge=0)
    """Save the training state at the first step after this many seconds (0: every step); it is large."""


class FullFineTuningLearner(Learner):
    """A copy of the whole CLIP, all of it trained.

    Args:
        number_format: of its products, "float32" or "bfloat16"; the weights are float32.
    """

    def __init__(self, encoders: FrozenEncoders, template: str, number_format: str = "float32") -> None:
        super().__init__(encoders, template)
        backbone = encoders.backbone
        self.clip: Any = copy.deepcopy(backbone.clip).requires_grad_(True)
        self.image, self.text = image_side(self.clip.visual), text_side(self.clip, backbone.name)
        self._largest_scale = max(LOG_SCALE_LIMIT, self.clip.logit_scale.item())
        self.number_format = number_format

    def see(self, pixels: Tensor) -> Tensor:
        with autocast(self.number_format, self.device):
            x = self.image.embed(self.encoders.backbone.normalize(pixels))
        return F.normalize(x.float(), dim=-1)

    def read(self, names: Sequence[str]) -> TextBatch:
        return self.encoders.tokenize(self.sentences(names))

    def logits(self, seen: Tensor, classes: TextBatch) -> Tensor:
        with autocast(self.number_format, self.device):
            g = self.text.embed(classes.tokens, classes.ends)
        return self.clip.logit_scale.exp() * seen @ F.normalize(g.float(), dim=-1).T

    @torch.no_grad()
    def after_step(self) -> None:
        self.clip.logit_scale.clamp_(0, self._largest_scale)


class FullFineTuning(StepTrained[FullFineTuningLearner, FullFineTuningSettings]):
    """logits = s f(x) . g(c), with every weight trained."""

    name = "full_fine_tuning"
    title = "Full fine-tuning"
    what = "Every weight of both encoders trained; the strongest change, and the largest file."
    source = "Zhang et al., IEEE TGRS 2024, arXiv 2306.11300"
    Settings = FullFineTuningSettings

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        return StepSize(own.batch_size, classes, weights=True, precision=own.precision)

    def resolved_precision(self) -> str:
        # On a CPU the way back through weights in bfloat16 is about ten times slower: only who asks for it gets it.
        automatic = self.settings.precision == "auto" and self.bench.device == "cpu"
        return "float32" if automatic else super().resolved_precision()

    def make(self, encoders: FrozenEncoders) -> FullFineTuningLearner:
        return FullFineTuningLearner(encoders, self.bench.config.model.template, self.precision)

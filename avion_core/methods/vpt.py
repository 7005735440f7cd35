"""VPT: prompts in the image encoder alone (Jia et al., ECCV 2022, arXiv 2203.12119, section 3.2).

Deep prompts stand in every layer (equations 6 and 7), shallow ones in the first (equations 4 and 5). They start from
the paper's uniform distribution. The paper ends in a trained linear head; here, as in its use with CLIP, the classes'
frozen sentences are the head. The paper searches number of prompts and rate for each data set; the defaults are AVION's
eight prompts and CoOp's schedule.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.config import RunConfig
from avion_core.methods.learner import Learner
from avion_core.methods.method import StepSize
from avion_core.methods.step_trained import StepTrained
from avion_core.methods.training_settings import CoOpSchedule


class VptSettings(CoOpSchedule):
    tokens: int = Field(default=8, ge=1, le=256)
    """Prompt tokens in a layer of the image encoder."""


class VptLearner(Learner):
    """Visual prompts (layers, n, width), and the classes' frozen sentences.

    Args:
        layers: how many layers have prompts, from the first on.
    """

    def __init__(self, encoders: FrozenEncoders, template: str, tokens: int, layers: int, seed: int) -> None:
        super().__init__(encoders, template)
        patch = encoders.backbone.image.patch
        # Glorot's bound for a patch's 3 p^2 numbers going into `width` channels.
        bound = math.sqrt(6 / (3 * patch**2 + encoders.visual_width))
        uniform = torch.rand((layers, tokens, encoders.visual_width), generator=torch.Generator().manual_seed(seed))
        self.visual_prompts = nn.Parameter((2 * uniform - 1) * bound)

    def see(self, pixels: Tensor) -> Tensor:
        return self.encoders.image(pixels, self.visual_prompts)


class VptDeep(StepTrained[VptLearner, VptSettings]):
    """logits = s f(x; P_1 ... P_L) . g(c)."""

    name = "vpt_deep"
    title = "VPT, deep"
    what = "Trained prompts in every layer of the image encoder; the classes by their names in the template."
    source = "Jia et al., ECCV 2022, arXiv 2203.12119"
    Settings = VptSettings
    deep: ClassVar[bool] = True

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        return StepSize(own.batch_size, 0, image_tokens=own.tokens, precision=own.precision)

    def make(self, encoders: FrozenEncoders) -> VptLearner:
        config, layers = self.bench.config, len(encoders.visual_blocks) if self.deep else 1
        return VptLearner(encoders, config.model.template, self.settings.tokens, layers, config.data.seed)


class VptShallow(VptDeep):
    """logits = s f(x; P_1) . g(c)."""

    name = "vpt_shallow"
    title = "VPT, shallow"
    what = "Trained prompts in the first layer of the image encoder; the classes by their names in the template."
    source = "Jia et al., ECCV 2022, arXiv 2203.12119"
    deep = False

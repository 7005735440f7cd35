"""PromptKD-style: a prompted student whose images are projected to the teacher's texts (Li et al., CVPR 2024,
arXiv 2403.03205, section 3.3).

The student's text encoder is not used: its image embedding passes a trained projector and meets the teacher's own class
texts, those of classes never trained on too. It learns the teacher's logits and no label (equation 4; the authors' sum
over images and classes is divided by both). What differs from the paper: the teacher is not prompted first, and only
the shots are seen, where the paper has all training images without labels. `label_weight` adds the labels.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.towers import Towers
from avion_core.config import RunConfig
from avion_core.methods.context import drawn
from avion_core.methods.learner import Learner
from avion_core.methods.method import Needs, StepSize, Task
from avion_core.methods.seeded import seeded
from avion_core.methods.step_trained import StepTrained
from avion_core.methods.training_settings import PassSettings


class PromptKdSettings(PassSettings):
    tokens: int = Field(default=4, ge=1, le=256)
    """Prompt tokens in a layer of the image encoder."""
    layers: int = Field(default=9, ge=1, le=100)
    """How many layers have prompts, from the first on."""
    temperature: float = Field(default=1.0, gt=0, le=100)
    """Temperature that softens both distributions."""
    label_weight: float = Field(default=0.0, ge=0, le=100)
    """Weight of the cross-entropy of the labels; the paper uses none."""
    epochs: int = Field(default=20, ge=1, le=10000)
    """Passes over the training images."""
    batch_size: int = Field(default=8, ge=1, le=4096)
    """Images per step."""
    learning_rate: float = Field(default=5e-3, ge=0, le=1)
    """The optimizer's learning rate."""


class PromptKdLearner(Learner):
    """Visual prompts of J layers, and a projector of two layers from D_S to D_T."""

    def __init__(
        self, encoders: FrozenEncoders, template: str, seed: int, settings: PromptKdSettings, teacher: Towers
    ) -> None:
        super().__init__(encoders, template)
        self.settings, self.teacher, self.scale = settings, teacher, teacher.logit_scale
        layers = min(settings.layers, len(encoders.visual_blocks))
        self.visual = nn.Parameter(drawn((layers, settings.tokens, encoders.visual_width), seed))
        with seeded(seed):
            self.projector = nn.Sequential(
                nn.Linear(encoders.backbone.dim, teacher.dim),
                nn.BatchNorm1d(teacher.dim),
                nn.ReLU(),
                nn.Linear(teacher.dim, teacher.dim),
            )
        self.teacher_images = torch.empty(0)
        """(N, D_T), for training alone."""

    @property
    def dim(self) -> int:
        return self.teacher.dim

    def see(self, pixels: Tensor) -> Tensor:
        first, *rest = self.visual  # the first layer's pass the norm before the transformer, as patches do
        f = self.encoders.image(pixels, [self.encoders.backbone.image.prepare_prompts(first), *rest])
        # One image has no variance: the running one serves, as it does once training is over.
        self.projector.train(self.training and len(f) > 1)
        return F.normalize(self.projector(f), dim=1)

    def read(self, names: Sequence[str]) -> Tensor:
        return self.teacher.encode_text(self.sentences(names)).to(self.device)

    def losses(self, seen: Tensor, classes: Tensor, labels: Tensor, places: Tensor) -> dict[str, Tensor]:
        own, tau = self.settings, self.settings.temperature
        logits, teacher = self.logits(seen, classes), self.logits(self.teacher_images[places], classes)  # (B, C)
        divergence = F.kl_div(
            (logits / tau).log_softmax(1), (teacher / tau).log_softmax(1), log_target=True, reduction="sum"
        )
        parts = {"task": F.cross_entropy(logits, labels), "logit": tau**2 * divergence / logits.numel()}
        return parts | {"loss": parts["logit"] + own.label_weight * parts["task"]}


class PromptKd(StepTrained[PromptKdLearner, PromptKdSettings]):
    """logits = s_T normalize(h(f_S(x; P))) . g_T(c)."""

    name = "prompt_kd"
    title = "PromptKD-style"
    what = "Trained visual prompts and a projector to the teacher's texts; learns the teacher's answers, no labels."
    source = "Li et al., CVPR 2024, arXiv 2403.03205"
    needs = Needs(pixels=True, teacher=True, backward=True, layers=True)
    Settings = PromptKdSettings

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        return StepSize(own.batch_size, 0, image_tokens=own.tokens, precision=own.precision)

    def make(self, encoders: FrozenEncoders) -> PromptKdLearner:
        config, teacher = self.bench.config, self.bench.towers("teacher")
        return PromptKdLearner(encoders, config.model.template, config.data.seed, self.settings, teacher)

    def prepare(self, learner: PromptKdLearner, task: Task) -> None:
        bench = self.bench
        learner.teacher_images = bench.see(learner.teacher, task.project, task.shots.image_ids).to(bench.device)

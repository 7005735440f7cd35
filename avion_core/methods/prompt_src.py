"""PromptSRC: prompts in both encoders that regulate themselves (Khattak et al., ICCV 2023, arXiv 2307.06948).

Independent prompts in the first layers of both encoders, held near the frozen CLIP in three ways: the mean absolute
difference of image and of text embeddings and the divergence of the logits (section 3.2.1, equations 3 to 5); the mean
of the prompts over passes with Gaussian weights (section 3.2.2); frozen texts that are an ensemble over templates
(section 3.2.3; this project's thirty). Defaults are the authors' settings for base-to-novel. Under `augment` the frozen
image embeddings stay those of the plain view.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.text_side import TextBatch
from avion_core.config import RunConfig
from avion_core.methods.context import ContextLearner, ContextSettings, ContextTrained, drawn
from avion_core.methods.method import StepSize, Task
from avion_core.methods.training_settings import PassSettings
from avion_core.methods.zero_shot_ensemble import ensemble


class PromptSrcSettings(ContextSettings, PassSettings):
    layers: int = Field(default=9, ge=1, le=100)
    """How many layers have prompts, from the first on."""
    text_weight: float = Field(default=25.0, ge=0, le=1000)
    """Weight of the distance to the frozen text embeddings."""
    image_weight: float = Field(default=10.0, ge=0, le=1000)
    """Weight of the distance to the frozen image embeddings."""
    logit_weight: float = Field(default=1.0, ge=0, le=1000)
    """Weight of the divergence from the frozen logits."""
    average: bool = True
    """End on the mean of the prompts over passes, with Gaussian weights."""
    average_at: float = Field(default=0.75, ge=0, le=1)
    """Where the Gaussian weights are largest, as a share of the passes."""
    average_width: float = Field(default=0.05, gt=0, le=10)
    """Standard deviation of the Gaussian weights, as a share of the passes."""
    epochs: int = Field(default=20, ge=1, le=10000)
    """Passes over the training images."""
    batch_size: int = Field(default=4, ge=1, le=4096)
    """Images per step."""
    learning_rate: float = Field(default=2.5e-3, ge=0, le=1)
    """The optimizer's learning rate."""


class PromptSrcLearner(ContextLearner):
    """Text and visual prompts of J layers, (n, width) each, and their mean over passes so far."""

    changes_images = True

    def __init__(self, encoders: FrozenEncoders, template: str, seed: int, settings: PromptSrcSettings) -> None:
        super().__init__(encoders, template, settings.tokens, settings.start, seed)
        self.settings = settings
        layers = min(settings.layers, len(encoders.visual_blocks), len(encoders.text_blocks))
        self.deeper = nn.Parameter(drawn((layers - 1, settings.tokens, encoders.text_width), seed + 1))
        self.visual = nn.Parameter(drawn((layers, settings.tokens, encoders.visual_width), seed + 2))
        for name, parameter in list(self.named_parameters()):
            self.register_buffer(f"mean_{name}", torch.zeros_like(parameter))
        self.frozen_images = self.frozen_texts = torch.empty(0)
        """(N, D) and (C, D), for training alone."""

    def see(self, pixels: Tensor) -> Tensor:
        first, *rest = self.visual  # the first layer's pass the norm before the transformer, as patches do
        return self.encoders.image(pixels, [self.encoders.backbone.image.prepare_prompts(first), *rest])

    def texts(self, classes: TextBatch) -> Tensor:
        return self.encoders.text(classes, [self.context, *self.deeper], as_words=True)

    def losses(self, seen: Tensor, classes: TextBatch, labels: Tensor, places: Tensor) -> dict[str, Tensor]:
        own, g = self.settings, self.texts(classes)
        frozen = self.frozen_images[places]  # (B, D)
        logits, frozen_logits = self.scale * seen @ g.T, self.scale * frozen @ self.frozen_texts.T  # (B, C)
        divergence = F.kl_div(logits.log_softmax(1), frozen_logits.log_softmax(1), log_target=True, reduction="sum")
        parts = {
            "task": F.cross_entropy(logits, labels),
            "text": (g - self.frozen_texts).abs().mean(),
            "image": (seen - frozen).abs().mean(),
            "logit": divergence / logits.numel(),
        }
        held = own.text_weight * parts["text"] + own.image_weight * parts["image"] + own.logit_weight * parts["logit"]
        return parts | {"loss": parts["task"] + held}

    @torch.no_grad()
    def after_epoch(self, epoch: int, epochs: int) -> None:
        if not self.settings.average:
            return
        weights = gaussian_weights(epochs, self.settings.average_at, self.settings.average_width)
        means = dict(self.named_buffers())
        for name, parameter in self.named_parameters():
            means[f"mean_{name}"].add_(parameter, alpha=weights[epoch - 1])
            if epoch == epochs:
                parameter.copy_(means[f"mean_{name}"])


def gaussian_weights(epochs: int, at: float, width: float) -> list[float]:
    """Of each pass, with a sum of 1; `at` and `width` are shares of the passes."""
    heights = [math.exp(-0.5 * ((epoch / epochs - at) / width) ** 2) for epoch in range(1, epochs + 1)]
    if sum(heights) == 0:  # few passes, all far from a narrow peak
        nearest = min(range(epochs), key=lambda place: abs((place + 1) / epochs - at))
        heights[nearest] = 1.0
    return [height / sum(heights) for height in heights]


class PromptSrc(ContextTrained[PromptSrcLearner, PromptSrcSettings]):
    """logits = s f(x; P_v) . g(c; P_t)."""

    name = "prompt_src"
    title = "PromptSRC"
    what = "Trained prompts in both encoders, held near the frozen student and averaged over training."
    source = "Khattak et al., ICCV 2023, arXiv 2307.06948"
    Settings = PromptSrcSettings

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        return StepSize(own.batch_size, classes, own.tokens, own.tokens, precision=own.precision)

    def make(self, encoders: FrozenEncoders) -> PromptSrcLearner:
        config = self.bench.config
        return PromptSrcLearner(encoders, config.model.template, config.data.seed, self.settings)

    def prepare(self, learner: PromptSrcLearner, task: Task) -> None:
        bench, backbone = self.bench, self.bench.backbone()
        names: Sequence[str] = [task.project.class_names[key] for key in task.classes]
        learner.frozen_images = bench.see(backbone, task.project, task.shots.image_ids).to(bench.device)
        learner.frozen_texts = ensemble(bench, backbone, names).to(bench.device)

"""APPLeNet: a context shifted by features of all layers of the image encoder (Jha et al., arXiv 2304.05995, section 3).

Content is the mean token of each layer, mapped to D numbers by a linear layer of its own; style is the image's final
embedding. Their mean passes an injection block with a residual attention (section 3.1), and a small network makes of it
the shift of the context vectors. Parameter count and order of operations are those of the authors' code, which uses
one network for all context vectors.

The regularizer against redundant context (section 3.2) is log10(-det(...)) in the authors' code, which is no number
once the determinant is positive. Here it is what the paper wants of it, that context vectors do not resemble one
another: the mean squared cosine between different ones, with the weight of the authors' code.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.text_side import TextBatch
from avion_core.backbones.towers import ImageTower
from avion_core.config import RunConfig
from avion_core.errors import ConfigError
from avion_core.methods.context import ContextLearner, ContextSettings, ContextTrained, Start
from avion_core.methods.learner import LearnerTower
from avion_core.methods.method import StepSize
from avion_core.methods.seeded import seeded
from avion_core.methods.training_settings import PassSettings

REDUCTION = 16


class ApplenetSettings(ContextSettings, PassSettings):
    epochs: int = Field(default=100, ge=1, le=10000)
    """Passes over the training images."""
    batch_size: int = Field(default=4, ge=1, le=4096)
    """Images per step; every class's text is encoded for each."""
    learning_rate: float = Field(default=2e-4, ge=0, le=1)
    """The optimizer's learning rate."""
    redundancy_weight: float = Field(default=0.05, ge=0, le=100)
    """Weight of the loss that keeps context vectors apart."""


class InjectionBlock(nn.Module):
    """Residual attention over D channels, twice (section 3.1)."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.Linear(dim, dim // REDUCTION, bias=False),
            nn.ReLU(),
            nn.Linear(dim // REDUCTION, dim, bias=False),
            nn.Sigmoid(),
        )
        self.first = nn.Linear(2 * dim, dim)
        self.second = nn.Linear(2 * dim, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) -> (B, width)."""
        inner = self.first(torch.cat([self.attention(x) * x, x], dim=1))
        return self.second(torch.cat([self.attention(inner) * x, x], dim=1))


class ApplenetLearner(ContextLearner):
    """Context vectors (n, width), a map of each layer, the injection block and the network of the shift."""

    def __init__(
        self, encoders: FrozenEncoders, template: str, tokens: int, start: Start, seed: int, redundancy: float = 0.05
    ) -> None:
        super().__init__(encoders, template, tokens, start, seed)
        if not encoders.visual_blocks:
            said = "this method reads the tokens of each layer, and the student's image tower has none"
            raise ConfigError(said, "Choose a vision transformer as the student.", value=encoders.backbone.name)
        dim, width, layers = encoders.backbone.dim, encoders.text_width, len(encoders.visual_blocks)
        self.redundancy = redundancy
        with seeded(seed):
            self.content = nn.ModuleList(nn.Linear(encoders.visual_width, dim) for _ in range(layers))
            self.injection = InjectionBlock(dim, width)
            self.shift = nn.Sequential(
                nn.Linear(width, width // REDUCTION), nn.ReLU(), nn.Linear(width // REDUCTION, width)
            )

    @property
    def dim(self) -> int:
        return self.encoders.backbone.dim + len(self.encoders.visual_blocks) * self.encoders.visual_width

    def see(self, pixels: Tensor) -> Tensor:
        """(B, D + layers * width): the embedding, and the mean token of each layer."""
        states: list[Tensor] = []
        f = self.encoders.image(pixels, states=states)
        return torch.cat([f, *(state.mean(1) for state in states)], dim=1)

    def contexts(self, seen: Tensor) -> Tensor:
        """(B, n, width): the context of each image."""
        dim = self.encoders.backbone.dim
        means = seen[:, dim:].split(self.encoders.visual_width, dim=1)
        content = [layer(mean) for layer, mean in zip(self.content, means, strict=True)]
        features = torch.stack([*content, seen[:, :dim]], dim=1).mean(1)  # (B, D)
        return self.context + self.shift(self.injection(features))[:, None]

    def logits(self, seen: Tensor, classes: TextBatch) -> Tensor:
        return self.among(seen, self.contexts(seen), classes)

    def among(self, seen: Tensor, contexts: Tensor, classes: TextBatch) -> Tensor:
        """(B, C), by the context (B, n, width) of each image."""
        g = self.encoders.text(classes, [contexts], as_words=True)  # (B C, D)
        g = g.view(len(seen), -1, g.shape[1])  # (B, C, D)
        return self.scale * (g @ seen[:, : g.shape[2], None]).squeeze(2)

    def losses(self, seen: Tensor, classes: TextBatch, labels: Tensor, places: Tensor) -> dict[str, Tensor]:
        contexts = self.contexts(seen)
        task = F.cross_entropy(self.among(seen, contexts, classes), labels)
        redundancy = mean_squared_cosine(contexts)
        return {"task": task, "redundancy": redundancy, "loss": task + self.redundancy * redundancy}

    def tower(self) -> ImageTower:
        return LearnerTower(self)


def mean_squared_cosine(vectors: Tensor) -> Tensor:
    """Of different vectors of one image, mean over pairs and images; (B, n, width), 0 for a single vector."""
    count = vectors.shape[1]
    unit = F.normalize(vectors, dim=2)
    cosines = unit @ unit.transpose(1, 2)  # (B, n, n)
    apart = ~torch.eye(count, dtype=torch.bool, device=vectors.device)
    return cosines[:, apart].square().mean() if count > 1 else vectors.sum() * 0.0


class Applenet(ContextTrained[ApplenetLearner, ApplenetSettings]):
    """logits = s f(x) . g([v_1(x)] ... [v_n(x)] c), with v_m(x) from all layers of the image encoder."""

    name = "applenet"
    title = "APPLeNet"
    what = "Trained context vectors shifted by features of every layer of the image encoder; made for remote sensing."
    source = "Jha et al., arXiv 2304.05995"
    Settings = ApplenetSettings
    curves: ClassVar = {
        "redundancy": ("Redundancy of context", "How alike the context vectors of an image are, from 0 to 1.")
    }

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        images, texts = own.batch_size if own.augment else 0, own.batch_size * classes
        return StepSize(images, texts, text_tokens=own.tokens, precision=own.precision)

    def make(self, encoders: FrozenEncoders) -> ApplenetLearner:
        config, own = self.bench.config, self.settings
        shared = (config.model.template, own.tokens, own.start, config.data.seed)
        return ApplenetLearner(encoders, *shared, own.redundancy_weight)

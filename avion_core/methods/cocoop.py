"""CoCoOp: a context that each image shifts (Zhou et al., CVPR 2022, arXiv 2203.05557, section 3.2).

v_m(x) = v_m + pi, with pi = h(f(x)) from a small network h, the same for all context vectors (equation 3). The texts of
all classes are encoded once for every image, which is why batches are of one image and passes are few.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.text_side import TextBatch
from avion_core.config import RunConfig
from avion_core.methods.context import ContextLearner, ContextSettings, ContextTrained, Start
from avion_core.methods.method import StepSize
from avion_core.methods.seeded import seeded
from avion_core.methods.training_settings import PassSettings

REDUCTION = 16
"""How much narrower the hidden layer of h is than its input."""


class CoCoOpSettings(ContextSettings, PassSettings):
    epochs: int = Field(default=10, ge=1, le=10000)
    """Passes over the training images."""
    batch_size: int = Field(default=1, ge=1, le=4096)
    """Images per step; every class's text is encoded for each."""


class CoCoOpLearner(ContextLearner):
    """Context vectors (n, width), and h from D to width."""

    def __init__(self, encoders: FrozenEncoders, template: str, tokens: int, start: Start, seed: int) -> None:
        super().__init__(encoders, template, tokens, start, seed)
        dim = encoders.backbone.dim
        with seeded(seed):
            self.shift = nn.Sequential(
                nn.Linear(dim, dim // REDUCTION), nn.ReLU(), nn.Linear(dim // REDUCTION, encoders.text_width)
            )

    def contexts(self, seen: Tensor) -> Tensor:
        """(B, n, width): the context of each image."""
        return self.context + self.shift(seen)[:, None]

    def logits(self, seen: Tensor, classes: TextBatch) -> Tensor:
        g = self.encoders.text(classes, [self.contexts(seen)], as_words=True)  # (B C, D)
        g = g.view(len(seen), -1, g.shape[1])  # (B, C, D)
        return self.scale * (g @ seen[:, :, None]).squeeze(2)


class CoCoOp(ContextTrained[CoCoOpLearner, CoCoOpSettings]):
    """logits = s f(x) . g([v_1(x)] ... [v_n(x)] c)."""

    name = "cocoop"
    title = "CoCoOp"
    what = "Trained context vectors that a small network shifts for each image; made for classes never trained on."
    source = "Zhou et al., CVPR 2022, arXiv 2203.05557"
    Settings = CoCoOpSettings

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        images = own.batch_size if own.augment else 0
        texts = own.batch_size * classes
        return StepSize(images, texts, text_tokens=own.tokens, precision=own.precision)

    def make(self, encoders: FrozenEncoders) -> CoCoOpLearner:
        config, own = self.bench.config, self.settings
        return CoCoOpLearner(encoders, config.model.template, own.tokens, own.start, config.data.seed)

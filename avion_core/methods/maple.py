"""MaPLe: prompts in both encoders, the visual ones made from the textual (Khattak et al., CVPR 2023, arXiv 2210.03117).

The first J layers of both encoders have n prompts. Textual ones are free (section 3.2.1; those of the first layer take
the place of the template's first words); each layer's visual ones are a linear map of its textual (section 3.2.3,
equation 6), of a layer of its own. Defaults are the authors' settings for base-to-novel: J = 9, n = 2, 5 passes,
batches of 4, SGD with a rate of 0.0035.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.text_side import TextBatch
from avion_core.config import RunConfig
from avion_core.methods.context import ContextLearner, ContextSettings, ContextTrained, Start, drawn
from avion_core.methods.method import StepSize
from avion_core.methods.seeded import seeded
from avion_core.methods.training_settings import PassSettings


class MapleSettings(ContextSettings, PassSettings):
    tokens: int = Field(default=2, ge=1, le=64)
    """Prompt tokens in a layer of either encoder."""
    layers: int = Field(default=9, ge=1, le=100)
    """How many layers have prompts, from the first on."""
    epochs: int = Field(default=5, ge=1, le=10000)
    """Passes over the training images."""
    batch_size: int = Field(default=4, ge=1, le=4096)
    """Images per step."""
    learning_rate: float = Field(default=3.5e-3, ge=0, le=1)
    """The optimizer's learning rate."""


class MapleLearner(ContextLearner):
    """Text prompts of J layers, (n, text width) each, and as many maps from the text's width to the image's."""

    changes_images = True

    def __init__(
        self, encoders: FrozenEncoders, template: str, tokens: int, start: Start, seed: int, layers: int = 9
    ) -> None:
        super().__init__(encoders, template, tokens, start, seed)
        layers = min(layers, len(encoders.visual_blocks), len(encoders.text_blocks))
        self.deeper = nn.Parameter(drawn((layers - 1, tokens, encoders.text_width), seed + 1))
        with seeded(seed):
            self.maps = nn.ModuleList(nn.Linear(encoders.text_width, encoders.visual_width) for _ in range(layers))

    def text_prompts(self) -> Sequence[Tensor]:
        return [self.context, *self.deeper]

    def visual_prompts(self) -> Sequence[Tensor]:
        """Of each layer, (n, image width); the first layer's pass the norm before the transformer, as patches do."""
        first, *rest = (layer(prompts) for layer, prompts in zip(self.maps, self.text_prompts(), strict=True))
        return [self.encoders.backbone.image.prepare_prompts(first), *rest]

    def see(self, pixels: Tensor) -> Tensor:
        return self.encoders.image(pixels, self.visual_prompts())

    def texts(self, classes: TextBatch) -> Tensor:
        return self.encoders.text(classes, self.text_prompts(), as_words=True)


class Maple(ContextTrained[MapleLearner, MapleSettings]):
    """logits = s f(x; F_1(P_1) ... F_J(P_J)) . g(c; P_1 ... P_J)."""

    name = "maple"
    title = "MaPLe"
    what = "Trained text prompts in several layers, and visual prompts made from them by trained maps."
    source = "Khattak et al., CVPR 2023, arXiv 2210.03117"
    Settings = MapleSettings

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        return StepSize(own.batch_size, classes, own.tokens, own.tokens, precision=own.precision)

    def make(self, encoders: FrozenEncoders) -> MapleLearner:
        config, own = self.bench.config, self.settings
        shared = (config.model.template, own.tokens, own.start, config.data.seed)
        return MapleLearner(encoders, *shared, own.layers)

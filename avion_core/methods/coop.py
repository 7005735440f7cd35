"""CoOp: context vectors learned in the template's place (Zhou et al., IJCV 2022, arXiv 2109.01134, section 3.2).

One context for all classes, with the class name at its end (equation 2). The vectors start at random before the bare
class name, or (option `start`) as the words of the template. The images are those of every other method: CoOp's own
random crops and flips are left out, and `augment` has this project's flips and turns.
"""

from __future__ import annotations

from pydantic import Field

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.config import RunConfig
from avion_core.methods.context import ContextLearner, ContextSettings, ContextTrained, Start
from avion_core.methods.method import StepSize
from avion_core.methods.training_settings import CoOpSchedule


class CoOpSettings(ContextSettings, CoOpSchedule):
    tokens: int = Field(default=16, ge=1, le=64)
    """Context vectors before each class name."""
    start: Start = "random"
    """Vectors drawn at random before the bare class name, or the template's first words."""


class CoOp(ContextTrained[ContextLearner, CoOpSettings]):
    """logits = s f(x) . g([v_1] ... [v_n] c)."""

    name = "coop"
    title = "CoOp"
    what = "Trained context vectors in the place of the template's words; the encoders stay as they are."
    source = "Zhou et al., IJCV 2022, arXiv 2109.01134"
    Settings = CoOpSettings

    @classmethod
    def step_size(cls, config: RunConfig, classes: int) -> StepSize:
        own = cls.own(config)
        images = own.batch_size if own.augment else 0
        return StepSize(images, classes, text_tokens=own.tokens, precision=own.precision)

    def make(self, encoders: FrozenEncoders) -> ContextLearner:
        config, own = self.bench.config, self.settings
        return ContextLearner(encoders, config.model.template, own.tokens, own.start, config.data.seed)

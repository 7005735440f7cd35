"""Learned context: vectors in the place of the first words of every class's sentence (CoOp's kind of prompt)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.text_side import TextBatch
from avion_core.config import RunConfig
from avion_core.errors import ConfigError
from avion_core.methods.learner import Learner
from avion_core.methods.step_trained import StepTrained
from avion_core.methods.training_settings import TrainingSettings

Start = Literal["random", "template"]
STD = 0.02
"""Standard deviation of vectors that start at random."""


class ContextLearner(Learner):
    """n context vectors before the class names, and the frozen encoders.

    Args:
        tokens: n.
        start: vectors drawn at random, before the bare class name; or the embeddings of the template's first n words,
            which they replace.
        seed: of the vectors that are drawn.
    """

    changes_images: ClassVar[bool] = False

    def __init__(self, encoders: FrozenEncoders, template: str, tokens: int, start: Start, seed: int) -> None:
        before, _, after = template.partition("{}")
        if start == "random":
            # Any word holds the places that the vectors take.
            template = f"{'X ' * tokens}{{}}{after}"
            vectors = drawn((tokens, encoders.text_width), seed)
        else:
            side = encoders.backbone.text
            words = encoders.backbone.tokenize([before])[0, side.starts : side.starts + tokens]
            vectors = side.token_embedding(words.to(encoders.backbone.device)).detach().clone()  # (n, width)
        super().__init__(encoders, template)
        self.placed = start == "random"
        """Whether the vectors take places of their own, not those of the template's words."""
        self.context = nn.Parameter(vectors)

    def read(self, names: Sequence[str]) -> TextBatch:
        """C class names as tokens.

        Raises:
            ConfigError: the context leaves no room for one of them.
        """
        sentences = self.sentences(names)
        if self.placed and (long := self.encoders.backbone.too_long(sentences)):
            raise ConfigError(
                f"{len(self.context)} context vectors leave no room for a class name in the "
                f"{self.encoders.backbone.text.context_length} tokens that this student reads",
                "Set options.tokens lower.",
                value=names[long[0]],
            )
        return self.encoders.tokenize(sentences)

    def texts(self, classes: TextBatch) -> Tensor:
        """(C, D): the classes by the learned context."""
        return self.encoders.text(classes, [self.context], as_words=True)

    def logits(self, seen: Tensor, classes: TextBatch) -> Tensor:
        return self.scale * seen @ self.texts(classes).T


def drawn(shape: tuple[int, ...], seed: int, std: float = STD) -> Tensor:
    """Numbers from a normal distribution around 0, the same on every machine."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * std


class ContextSettings(TrainingSettings):
    tokens: int = Field(default=4, ge=1, le=64)
    """Context vectors before each class name."""
    start: Start = "template"
    """Vectors drawn at random before the bare class name, or the template's first words."""


AnyContext = TypeVar("AnyContext", bound=ContextLearner)
AnyContextSettings = TypeVar("AnyContextSettings", bound=ContextSettings)


class ContextTrained(StepTrained[AnyContext, AnyContextSettings]):
    """A method with a learned context."""

    @classmethod
    def check(cls, config: RunConfig) -> None:
        """See that the template has words for the vectors to start from."""
        own = cls.own(config)
        before = config.model.template.partition("{}")[0].split()
        if own.start == "template" and len(before) < own.tokens:
            fewer = f"Set options.tokens to {len(before)} or options.start to random"
            usual = "Choose a template with words before the class name, or set options.start to random."
            raise ConfigError(
                f"the template has {len(before)} words before the class name, and training starts from {own.tokens}",
                f"{fewer}, or choose a longer model.template." if before else usual,
                value=config.model.template,
            )

"""Settings that step-trained baselines share (`options.*` of a run); a method's own file has its published values."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

from pydantic import Field

from avion_core.config import Stage

WARMUP_RATE = 1e-5
"""The rate of the warm-up passes (CoOp, arXiv 2109.01134, section 4.1)."""


class TrainingSettings(Stage):
    """All but how long it lasts."""

    lowest_rate: ClassVar[float] = 0.0
    """What the cosine ends at."""
    epsilon: ClassVar[float] = 1e-8
    """What AdamW adds to the root it divides by."""

    batch_size: int = Field(default=32, ge=1, le=4096)
    """Images per step."""
    learning_rate: float = Field(default=2e-3, ge=0, le=1)
    """The optimizer's learning rate."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """Stochastic gradient descent with a momentum of 0.9, or AdamW."""
    weight_decay: float = Field(default=5e-4, ge=0, le=1)
    """Weight decay on all that is trained."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """How the learning rate changes over time, after the warm-up."""
    warmup_epochs: int = Field(default=1, ge=0, le=1000)
    """First passes, with a rate of 0.00001; never more than half of all passes."""
    augment: bool = False
    """Random flips and quarter turns of the training images."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the encoders; norms, softmaxes and losses are always float32."""
    validate_every: int = Field(default=5, ge=1, le=10000)
    """Epochs between measurements on the validation images."""
    checkpoint_seconds: float = Field(default=20.0, ge=0)
    """Save the training state at the first step after this many seconds (0: every step)."""

    @abstractmethod
    def steps(self, images: int, shots: int) -> int:
        """Steps of a training on so many images, at so many shots per class."""


class PassSettings(TrainingSettings):
    """So many passes, whatever the shots."""

    epochs: int = Field(default=50, ge=1, le=10000)
    """Passes over the training images."""

    def passes(self, shots: int) -> int:
        """Passes over the training images at so many shots per class."""
        return self.epochs

    def steps(self, images: int, shots: int) -> int:
        return self.passes(shots) * -(-images // self.batch_size)


class CoOpSchedule(PassSettings):
    """CoOp's schedule, which lengthens with the shots (arXiv 2109.01134, section 4.1)."""

    epochs: int = Field(default=0, ge=0, le=10000)
    """Passes over the training images; 0 takes the paper's number: 50 at 1 shot, 100 up to 4, 200 above."""

    def passes(self, shots: int) -> int:
        return self.epochs or (50 if shots == 1 else 100 if shots <= 4 else 200)

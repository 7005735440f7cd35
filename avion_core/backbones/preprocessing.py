"""How images become a model's input, in open_clip's words; no library is needed to say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = tuple[float, float, float]
_OPENAI_MEAN, _OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Preprocessing:
    """What open_clip calls `preprocess_cfg`; OpenAI's by default."""

    mean: Colour = _OPENAI_MEAN
    """Of each channel, of pixels from 0 to 1."""
    std: Colour = _OPENAI_STD
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "squash"] = "shortest"
    """The shortest side resized and the centre cropped, or both sides resized whatever the shape."""

    def in_words(self, size: int) -> str:
        """What features are kept under: those of another view are not reused."""
        if self == Preprocessing():
            return f"shortest side {size} bicubic, centre crop, OpenAI mean and std"
        shape = f"shortest side {size}" if self.resize_mode == "shortest" else f"both sides {size}"
        crop = ", centre crop" if self.resize_mode == "shortest" else ""
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return f"{shape} {self.interpolation}{crop}, mean {mean}, std {std}"

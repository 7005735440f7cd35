"""A trained student as a pair of towers, so that its features are kept by content as any model's are."""

from __future__ import annotations

from collections.abc import Sequence

import PIL.Image
import torch
from torch import Tensor

from avion_core.backbones.prompted import PromptedStudent
from avion_core.backbones.towers import TEXT_BATCH, hash_weights


class StudentTowers:
    """`backbones.towers.Towers` of a prompted student: D is its backbone's dimension.

    Its `weights_hash` is that of backbone, prompts and scale together: a student that trained on is another one.
    """

    def __init__(self, student: PromptedStudent) -> None:
        backbone = student.backbone
        self.student, self.backbone = student, backbone
        self.name = f"student on {backbone.name}"
        self.dim, self.image_size, self.view = backbone.dim, backbone.image_size, backbone.view
        self.device = backbone.device
        self.logit_scale = student.logit_scale.detach().exp().item()
        self.weights_hash = hash_weights(student, backbone.weights_hash, str(student.precision))

    def prepare(self, image: PIL.Image.Image) -> Tensor:
        """The backbone's view of an RGB image: uint8 (3, S, S)."""
        return self.backbone.prepare(image)

    def encode_image(self, pixels: Tensor, precision: str = "float32") -> Tensor:
        """uint8 (B, 3, S, S) -> float32 (B, D) of unit norm; the student's own precision holds."""
        with torch.inference_mode():
            return self.student.encode_image(pixels.to(self.device))

    def encode_text(self, texts: Sequence[str], precision: str = "float32") -> Tensor:
        """N texts -> float32 (N, D) of unit norm, in the order given."""
        batches = [list(texts[start : start + TEXT_BATCH]) for start in range(0, len(texts), TEXT_BATCH)]
        with torch.inference_mode():
            parts = [self.student.encode_text(self.student.tokenize(batch)) for batch in batches]
        return torch.cat(parts) if parts else torch.empty(0, self.dim)

    def too_long(self, texts: Sequence[str]) -> list[int]:
        """Places of the texts that run past the context."""
        return self.backbone.too_long(texts)

"""Several teachers as one: their logits are averaged (docs/method.md section 2).

With unit embeddings f_i, g_i and scales s_i, the ensemble's embeddings are [sqrt(s_i / sum s) f_i] over all members and
the same of g_i. They are of unit norm, and s f . g is the mean of s_i f_i . g_i, with s the mean of the scales: what is
computed from embeddings (prototypes, the map to the student, distillation) needs no other rule for several teachers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import PIL.Image
import torch
from torch import Tensor

from avion_core.backbones.towers import Towers
from avion_core.errors import DataError


class EnsembleTowers:
    """Frozen towers of the members' joint dimension.

    Args:
        members: two or more, on one device.
    """

    def __init__(self, name: str, members: Sequence[Towers]) -> None:
        self.name, self.members = name, list(members)
        self.dim = sum(member.dim for member in members)
        self.device = members[0].device
        # A view holds each member's, one after the other, in a square as small as they fit into.
        self._lengths = [member.image_size**2 for member in members]
        self.image_size = math.ceil(sum(self._lengths) ** 0.5)
        self.view = " | ".join(member.view for member in members)
        total = sum(member.logit_scale for member in members)
        self.logit_scale = total / len(members)
        self._weights = [(member.logit_scale / total) ** 0.5 for member in members]
        facts = "\n".join(f"{member.weights_hash} {member.logit_scale!r}" for member in members)
        self.weights_hash = hashlib.sha256(facts.encode()).hexdigest()[:16]

    def prepare(self, image: PIL.Image.Image) -> Tensor:
        """The members' views of an RGB image in one: uint8 (3, S, S)."""
        flat = torch.cat([member.prepare(image).flatten(1) for member in self.members], dim=1)
        packed = torch.zeros(3, self.image_size**2, dtype=torch.uint8)
        packed[:, : flat.shape[1]] = flat
        return packed.view(3, self.image_size, self.image_size)

    def encode_image(self, pixels: Tensor, precision: str = "float32") -> Tensor:
        """uint8 (B, 3, S, S) by `prepare` -> float32 (B, D) of unit norm, on `device`."""
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, self.image_size, self.image_size):
            hint = "Make them with the towers' own prepare."
            raise DataError("these are no views of this ensemble", hint, value=tuple(pixels.shape))
        flat, parts, begin = pixels.flatten(2), list[Tensor](), 0
        for member, length in zip(self.members, self._lengths, strict=True):
            own = flat[:, :, begin : begin + length].reshape(len(pixels), 3, member.image_size, member.image_size)
            parts.append(member.encode_image(own, precision))
            begin += length
        return self._joined(parts)

    def encode_text(self, texts: Sequence[str], precision: str = "float32") -> Tensor:
        """N texts -> float32 (N, D) of unit norm, on `device`, in the order given."""
        return self._joined([member.encode_text(texts, precision) for member in self.members])

    def too_long(self, texts: Sequence[str]) -> list[int]:
        """Places of the texts that one of the members does not read to their end."""
        return sorted({place for member in self.members for place in member.too_long(texts)})

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat([weight * part for weight, part in zip(self._weights, parts, strict=True)], dim=1)

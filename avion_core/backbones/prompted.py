"""The student: a frozen CLIP with learned prompt tokens in every layer of both encoders.

AVION, docs/method.md section 4. Prompts stand right after the CLS token (images) and the start token
(texts). In the deep form each layer gets its own prompts and its outputs at their places are dropped;
in the shallow form the first layer's prompts travel on.

`frozen_encoders` says what makes it fast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders, TextBatch, text_batch
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import StudentConfig


class PromptedStudent(nn.Module):
    """Deep prompts in both encoders of a frozen open_clip CLIP, and a learned logit scale.

    Args:
        backbone: towers whose weights are used and never changed.
        config: how many prompts, how deep, and their spread at the start.
        seed: seed of the prompts' start values.
        precision: torch.bfloat16 holds the frozen matrices in half precision; float32 shares them.

    The trained parameters are `visual_prompts` (layers, n, width), `text_prompts` (layers, n, width)
    and `logit_scale` (): for ViT-B/32 at the paper's 8 and 4 tokens 98,304 + 1 numbers.
    """

    def __init__(
        self,
        backbone: OpenClipTowers,
        config: StudentConfig,
        *,
        seed: int = 0,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        clip: Any = backbone.clip
        self.backbone = backbone
        self.config = config
        visual, text = clip.visual.transformer, clip.transformer
        layers = (len(visual.resblocks), len(text.resblocks)) if config.depth == "deep" else (1, 1)
        generator = torch.Generator().manual_seed(seed)
        shapes = (layers[0], config.visual_prompts, visual.width), (layers[1], config.text_prompts, text.width)
        prompts = [torch.randn(shape, generator=generator) * config.init_std for shape in shapes]
        device = clip.logit_scale.device
        self.visual_prompts, self.text_prompts = (nn.Parameter(p.to(device)) for p in prompts)
        self.logit_scale = nn.Parameter(clip.logit_scale.detach().clone().float())
        # No submodule: the backbone belongs to the towers and stays out of state_dict.
        self.encoders = FrozenEncoders(backbone, precision)
        self.precision = precision

    @property
    def embed_dim(self) -> int:
        return self.backbone.dim

    def encode_image(self, pixels: Tensor) -> Tensor:
        """pixels (B, 3, S, S) uint8 -> embeddings (B, D_S), unit norm, float32."""
        return self.encoders.image(pixels, self.visual_prompts)

    def encode_text(self, batch: TextBatch) -> Tensor:
        """Token ids of N texts -> embeddings (N, D_S), unit norm, float32."""
        return self.encoders.text(batch, self.text_prompts)

    def tokenize(self, texts: list[str]) -> TextBatch:
        """Texts as this student reads them, on its device."""
        return text_batch(self.backbone.tokenize(texts), self.visual_prompts.device)

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Keep the logit scale's logarithm in [0, ln 100], as CLIP does."""
        self.logit_scale.clamp_(0, 4.605170185988092)

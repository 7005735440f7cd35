"""The student: a frozen CLIP with learned prompt tokens in every layer of both encoders.

AVION, docs/method.md section 4. Prompts stand right after the CLS token (images) and the start token (texts), or before
all where a tower has no such token. In the deep form each layer gets its own prompts and its outputs at their places
are dropped; in the shallow form the first layer's prompts travel on.

`frozen_encoders` says what makes it fast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from avion_core.backbones.frozen_encoders import FrozenEncoders, no_visual_prompts
from avion_core.backbones.text_side import TextBatch
from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import StudentConfig

LOG_SCALE_LIMIT = 4.605170185988092
"""ln 100, as CLIP has it."""


class PromptedStudent(nn.Module):
    """Deep prompts in both encoders of a frozen open_clip CLIP, and a learned logit scale.

    Args:
        backbone: towers whose weights are used and never changed.
        config: how many prompts, how deep, and their spread at the start.
        seed: seed of the prompts' start values.
        precision: torch.bfloat16 holds the frozen matrices in half precision; float32 shares them.

    The trained parameters are `visual_prompts` (layers, n, width), `text_prompts` (layers, n, width)
    and `logit_scale` (): for ViT-B/32 at the paper's 8 and 4 tokens 98,304 + 1 numbers.

    Raises:
        ConfigError: visual prompts for a convolutional image tower.
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
        visual, text = backbone.image, backbone.text
        if config.visual_prompts and not visual.takes_prompts:
            raise no_visual_prompts(backbone.name)
        layers = (len(visual.blocks), len(text.blocks)) if config.depth == "deep" else (1, 1)
        generator = torch.Generator().manual_seed(seed)
        shapes = (layers[0], config.visual_prompts, visual.width), (layers[1], config.text_prompts, text.width)
        prompts = [torch.randn(shape, generator=generator) * config.init_std for shape in shapes]
        device = clip.logit_scale.device
        self.visual_prompts, self.text_prompts = (nn.Parameter(p.to(device)) for p in prompts)
        self.logit_scale = nn.Parameter(clip.logit_scale.detach().clone().float().reshape(()))
        self._largest_scale = max(LOG_SCALE_LIMIT, self.logit_scale.item())
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
        return self.batch(self.backbone.tokenize(texts))

    def batch(self, tokens: Tensor) -> TextBatch:
        """Token ids (N, L) by the backbone's tokenizer, on its device."""
        return self.backbone.text.batch(tokens, self.visual_prompts.device)

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Keep the logit scale's logarithm in [0, ln 100], as CLIP does; SigLIP's begins above and may stay there."""
        self.logit_scale.clamp_(0, self._largest_scale)

"""How an open_clip image tower looks: tokens through blocks where it is a transformer, or all in one.

Prompts need tokens to stand beside. open_clip's own vision transformer and timm's two kinds (SigLIP's, and the one with
rotary positions of PE-Core and EVA) have them; convolutional towers (MobileCLIP2's FastViT, ResNets, ConvNeXt) have
none, take no visual prompts, and are otherwise used like any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from open_clip.transformer import VisionTransformer
from timm.models import eva, vision_transformer
from torch import Tensor, nn

from avion_core.backbones.text_side import plain_block, transformer_block


class ImageSide:
    """An image tower in three steps: `tokens`, its `blocks` by `block`, and `read`. B images, D the embeddings' width.

    This base has no blocks: all is done in `read`, as a convolutional tower needs it.

    Args:
        visual: of an open_clip model.
    """

    def __init__(self, visual: Any) -> None:
        self.visual = visual
        self.blocks: Sequence[nn.Module] = ()
        self.width = 0
        self.patch = 0
        """Side of a patch in pixels."""
        self.prefix = 0
        """How many tokens stand before the patches; prompts stand right after the first of them, or before all."""

    @property
    def takes_prompts(self) -> bool:
        """Whether there are tokens for prompts to stand beside."""
        return bool(self.blocks)

    def tokens(self, x: Tensor) -> Tensor:
        """Normalized images (B, 3, S, S) -> (B, L, width)."""
        return x

    def block(self, number: int, x: Tensor, prompts: int = 0) -> Tensor:
        """(B, L, width) -> (B, L, width).

        Args:
            prompts: how many of the tokens are prompts.
        """
        raise NotImplementedError

    def read(self, x: Tensor, prompts: int = 0) -> Tensor:
        """What the last block gave (B, L, width) -> (B, D), not of unit norm; prompts are not read."""
        return self.visual(x)

    def prepare_prompts(self, prompts: Tensor) -> Tensor:
        """Prompts of the first layer (n, width) past the norm that patches pass before the first block."""
        return prompts

    def embed(self, x: Tensor) -> Tensor:
        """Normalized images (B, 3, S, S) -> (B, D), not of unit norm."""
        x = self.tokens(x)
        for number in range(len(self.blocks)):
            x = self.block(number, x)
        return self.read(x)

    def without_prompts(self, x: Tensor, prompts: int) -> Tensor:
        """(B, L, width) -> (B, L - prompts, width)."""
        first = min(self.prefix, 1)
        return torch.cat([x[:, :first], x[:, first + prompts :]], dim=1) if prompts else x


class OpenClipImageSide(ImageSide):
    """open_clip's own VisionTransformer."""

    def __init__(self, visual: Any) -> None:
        super().__init__(visual)
        self.blocks = list(visual.transformer.resblocks)
        self.width, self.patch, self.prefix = visual.transformer.width, visual.patch_size[0], 1

    def tokens(self, x: Tensor) -> Tensor:
        return self.visual._embeds(x)

    def block(self, number: int, x: Tensor, prompts: int = 0) -> Tensor:
        return transformer_block(self.blocks[number], x)

    def read(self, x: Tensor, prompts: int = 0) -> Tensor:
        visual = self.visual
        if visual.attn_pool is None and visual.pool_type == "tok":
            pooled = visual.ln_post(x[:, 0])
        else:
            pooled, _ = visual._pool(self.without_prompts(x, prompts))
        return pooled if visual.proj is None else pooled @ visual.proj

    def prepare_prompts(self, prompts: Tensor) -> Tensor:
        return self.visual.ln_pre(prompts)


class TimmImageSide(ImageSide):
    """timm's VisionTransformer (SigLIP), or its Eva with rotary positions (PE-Core, EVA)."""

    def __init__(self, visual: Any) -> None:
        super().__init__(visual)
        self.trunk = trunk = visual.trunk
        self.blocks = list(trunk.blocks)
        self.width, self.prefix = trunk.embed_dim, trunk.num_prefix_tokens
        self.patch = trunk.patch_embed.patch_size[0]
        self.rotary = isinstance(trunk, eva.Eva) and trunk.rope is not None

    def tokens(self, x: Tensor) -> Tensor:
        placed = self.trunk._pos_embed(self.trunk.patch_embed(x))
        return self.trunk.norm_pre(placed[0] if isinstance(placed, tuple) else placed)

    def block(self, number: int, x: Tensor, prompts: int = 0) -> Tensor:
        if not self.rotary:
            return self.blocks[number](x)
        return self.blocks[number](x, rope=self._rotations(prompts))

    def _rotations(self, prompts: int) -> Tensor:
        """Sines and cosines (tokens after the prefix, 2 head widths); prompts have no place, so they are not turned."""
        rope = self.trunk.rope.get_embed()
        if not prompts:
            return rope
        half = rope.shape[-1] // 2
        still = torch.cat([rope.new_zeros(prompts, half), rope.new_ones(prompts, half)], dim=-1)
        return torch.cat([still, rope])

    def read(self, x: Tensor, prompts: int = 0) -> Tensor:
        x = self.trunk.norm(self.without_prompts(x, prompts))
        return self.visual.head(self.trunk.forward_head(x))

    def prepare_prompts(self, prompts: Tensor) -> Tensor:
        return self.trunk.norm_pre(prompts)


def image_side(visual: Any) -> ImageSide:
    """The image tower of an open_clip model."""
    if isinstance(visual, VisionTransformer) and all(plain_block(block) for block in visual.transformer.resblocks):
        return OpenClipImageSide(visual)
    trunk = getattr(visual, "trunk", None)
    if type(trunk) is vision_transformer.VisionTransformer:
        return TimmImageSide(visual)
    # Rotary positions that differ from layer to layer, and more than one prefix token, are left to the tower itself.
    if type(trunk) is eva.Eva and not trunk.rope_mixed and trunk.num_prefix_tokens <= 1:
        return TimmImageSide(visual)
    return ImageSide(visual)

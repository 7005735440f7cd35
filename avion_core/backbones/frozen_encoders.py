"""The encoders of a frozen CLIP with room for learned vectors, and gradients to them alone.

Three properties make them fast without changing a number beyond rounding:
- weights are frozen, so the backward pass computes activations' gradients only, and the large
  matrices can be held in bfloat16 while norms, softmaxes, residuals and prompts stay float32;
- where the text mask is causal, tokens after the last end-of-text cannot matter and are cut off;
- for the same reason the tokens that all texts of a batch begin with (start, prompts, the template's
  words before the class name) have the same states in every text and are run once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from avion_core.backbones.image_side import ImageSide, OpenClipImageSide
from avion_core.backbones.text_side import TextBatch
from avion_core.backbones.towers import OpenClipTowers
from avion_core.errors import ConfigError


class FrozenEncoders:
    """Both encoders of a CLIP, with learned prompts in some of their layers.

    Args:
        backbone: towers whose weights are used and never changed.
        precision: torch.bfloat16 holds the frozen matrices in half precision; float32 shares them.

    Prompts of a layer are (n, width), the same for every row, or (rows, n, width). They stand after the first token
    (class token, start token); those of the first layer are added to the sequence, those of a later layer take the
    place of the layer before's. Without any, both encoders equal the backbone's.
    """

    def __init__(self, backbone: OpenClipTowers, precision: torch.dtype = torch.float32) -> None:
        image, text = backbone.image, backbone.text
        self.backbone, self.precision = backbone, precision
        self.visual_width, self.text_width = image.width, text.width
        self.visual_blocks = [_visual_block(image, number, precision) for number in range(len(image.blocks))]
        self.text_blocks = [FrozenBlock(block, precision) for block in text.blocks]

    def image(
        self, pixels: Tensor, prompts: Sequence[Tensor] | Tensor = (), states: list[Tensor] | None = None
    ) -> Tensor:
        """pixels (B, 3, S, S) uint8 -> embeddings (B, D), unit norm, float32.

        Args:
            prompts: of the first layers, one entry a layer.
            states: gets what comes out of each layer, (B, tokens, width).

        Raises:
            ConfigError: prompts for a tower without tokens.
        """
        side = self.backbone.image
        if len(prompts) and not side.takes_prompts:
            raise no_visual_prompts(self.backbone.name)
        x = side.tokens(self.backbone.normalize(pixels))  # (B, prefix + patches, width)
        standing = 0
        for i, block in enumerate(self.visual_blocks):
            if i < len(prompts):
                x = _insert(x, prompts[i], after=min(side.prefix, 1), replace=standing)
                standing = prompts[i].shape[-2]
            x = block(x, standing)
            if states is not None:
                states.append(x)
        return F.normalize(side.read(x, standing).float(), dim=-1)

    def text(self, batch: TextBatch, prompts: Sequence[Tensor] | Tensor = (), *, as_words: bool = False) -> Tensor:
        """Token ids of N texts -> embeddings (N, D), unit norm, float32; (G N, D) for prompts of G rows.

        Args:
            prompts: of the first layers, one entry a layer.
            as_words: the first layer's prompts take the place of the first words of all texts, and their positions.
        """
        read = self._text_causal if self.backbone.text.causal else self._text_open
        return F.normalize(self.backbone.text.project(read(batch, prompts, as_words)), dim=-1)

    def _text_causal(self, batch: TextBatch, prompts: Sequence[Tensor] | Tensor, as_words: bool) -> Tensor:
        """States (G N, width) where texts are read; what they all begin with is run once."""
        side = self.backbone.text
        words = side.token_embedding(batch.tokens)  # (N, L, width)
        start = words[:1, : batch.shared]
        if as_words:
            place = prompts[0].shape[-2]
            start = _insert(start.expand(_rows(prompts[0]), -1, -1), prompts[0], after=side.starts, replace=place)
        positions = side.positional_embedding[: batch.tokens.shape[1]]
        prefix = start + positions[: batch.shared]  # (G, P, width)
        own = (words[:, batch.shared :] + positions[batch.shared :]).repeat(len(prefix), 1, 1)  # (G N, L - P, width)
        for i, block in enumerate(self.text_blocks):
            if i < len(prompts) and (i or not as_words):
                prefix = _insert(prefix, prompts[i], after=side.starts, replace=prompts[i].shape[-2] if i else 0)
            prefix, own = block.causal(prefix, own)
        ends = (batch.ends - batch.shared).repeat(len(prefix))
        return own[torch.arange(len(own), device=own.device), ends]

    def _text_open(self, batch: TextBatch, prompts: Sequence[Tensor] | Tensor, as_words: bool) -> Tensor:
        """States (G N, width) where texts are read; all tokens see all, so no part is the same in two texts."""
        side, count = self.backbone.text, len(batch.tokens)
        x = side.token_embedding(batch.tokens)  # (N, L, width)
        groups = max((_rows(layer) for layer in prompts), default=1)
        x, standing = x.repeat(groups, 1, 1), 0  # (G N, L, width)
        if as_words:
            x = _insert(x, _for_each(prompts[0], count * groups), after=side.starts, replace=prompts[0].shape[-2])
        x = x + side.positional_embedding[: batch.tokens.shape[1]]
        for i, block in enumerate(self.text_blocks):
            if i < len(prompts) and (i or not as_words):
                # In place of words, the first layer's prompts stand in the text's own length.
                replaced = prompts[i].shape[-2] if as_words else standing
                x = _insert(x, _for_each(prompts[i], count * groups), after=side.starts, replace=replaced)
                standing = 0 if as_words else prompts[i].shape[-2]
            x = block(x)
        ends = batch.ends.repeat(groups)
        ends = ends + standing * (ends >= side.starts)
        return x[torch.arange(len(x), device=x.device), ends]

    def tokenize(self, texts: Sequence[str]) -> TextBatch:
        """Texts as these encoders read them, on their device."""
        return self.backbone.text.batch(self.backbone.tokenize(texts), self.backbone.device)


def no_visual_prompts(model: str) -> ConfigError:
    """What to say where a method has visual prompts for an image tower without tokens."""
    hint = (
        "Set model.visual_prompts to 0, for AVION with prompts in the texts alone; or choose a method without prompts "
        "in the image encoder, or a vision transformer as the student."
    )
    return ConfigError("the student's image tower is convolutional and takes no prompts", hint, value=model)


def _rows(prompts: Tensor) -> int:
    return len(prompts) if prompts.ndim == 3 else 1


class FrozenBlock:
    """One transformer block of open_clip with its weights as constants of a chosen precision.

    Reads the weights of a ResidualAttentionBlock and computes the same function. Doing it here gives
    control of the precision (matrices in bfloat16, norms and residuals in float32, no weight cast a
    step) and lets a shared causal prefix be attended to without repeating it for every text.
    """

    def __init__(self, block: Any, precision: torch.dtype) -> None:
        attn, mlp = block.attn, block.mlp
        self.heads = attn.num_heads
        self.ln_1, self.ln_2, self.act = block.ln_1, block.ln_2, mlp.gelu
        self.ls_1, self.ls_2 = block.ls_1, block.ls_2
        pairs = [
            (attn.in_proj_weight, attn.in_proj_bias),
            (attn.out_proj.weight, attn.out_proj.bias),
            (mlp.c_fc.weight, mlp.c_fc.bias),
            (mlp.c_proj.weight, mlp.c_proj.bias),
        ]
        self.qkv, self.out, self.up, self.down = [
            (w.detach().to(precision), b.detach().to(precision)) for w, b in pairs
        ]
        self.added: Callable[[Tensor], Tensor] | None = None
        """What a method adds to queries, keys and values: their common input (B, L, width) -> (B, L, 3 width)."""

    def __call__(self, x: Tensor, prompts: int = 0) -> Tensor:
        """x (B, L, width) -> (B, L, width), every token sees every token; `prompts` of them are prompts."""
        q, k, v = self._project(x)
        return self._finish(x, F.scaled_dot_product_attention(q, k, v))

    def causal(self, prefix: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """prefix (G, P, width) and own (G N, L, width) -> the same shapes; N texts have a prefix in common.

        Every token sees itself and what stands before it: prefix tokens the prefix, own tokens the
        whole prefix and their own text so far.
        """
        q, k, v = self._project(prefix)
        new_prefix = self._finish(prefix, F.scaled_dot_product_attention(q, k, v, is_causal=True))
        own_q, own_k, own_v = self._project(own)
        count, length, before = len(own), own.shape[1], prefix.shape[1]
        k, v = (_for_each(part, count) for part in (k, v))
        k = torch.cat([k, own_k], dim=2)  # (G N, heads, P + L, width / heads)
        v = torch.cat([v, own_v], dim=2)
        mask = torch.ones(length, before + length, dtype=torch.bool, device=own.device).tril(before)
        return new_prefix, self._finish(own, F.scaled_dot_product_attention(own_q, k, v, attn_mask=mask))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (B, heads, L, width / heads)."""
        batch, length, width = x.shape
        x = self.ln_1(x)
        qkv = self._linear(x, self.qkv)
        if self.added is not None:
            qkv = qkv + self.added(x)
        qkv = qkv.view(batch, length, 3, self.heads, width // self.heads)
        if not qkv.is_cuda:  # on a CPU the way back through attention is slower in bfloat16 than in float32
            qkv = qkv.float()
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return q, k, v

    def _finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Residual attention output and MLP; the residual stream is float32."""
        batch, _, length, _ = attended.shape
        x = x + self.ls_1(self._linear(attended.transpose(1, 2).reshape(batch, length, -1), self.out))
        hidden = self.act(self._linear(self.ln_2(x), self.up))
        return x + self.ls_2(self._linear(hidden, self.down))

    @staticmethod
    def _linear(x: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
        return F.linear(x.to(weights[0].dtype), *weights)


class OwnBlock:
    """A block of timm's, computed by itself in a chosen precision."""

    def __init__(self, side: ImageSide, number: int, precision: torch.dtype) -> None:
        self.side, self.number, self.precision = side, number, precision

    def __call__(self, x: Tensor, prompts: int = 0) -> Tensor:
        """x (B, L, width) -> (B, L, width), every token sees every token; `prompts` of them are prompts."""
        half = self.precision == torch.bfloat16
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            return self.side.block(self.number, x, prompts).float()


def _visual_block(side: ImageSide, number: int, precision: torch.dtype) -> FrozenBlock | OwnBlock:
    if isinstance(side, OpenClipImageSide):
        return FrozenBlock(side.blocks[number], precision)
    return OwnBlock(side, number, precision)


def _for_each(prefix: Tensor, count: int) -> Tensor:
    """The G prefixes, each as often as there are texts to it: (count, ...); one that has no rows is that of all."""
    if prefix.ndim == 2:
        prefix = prefix[None]
    if len(prefix) == 1:
        return prefix.expand(count, *prefix.shape[1:])
    return prefix.repeat_interleave(count // len(prefix), dim=0)


def _insert(x: Tensor, prompts: Tensor, *, after: int, replace: int) -> Tensor:
    """Put prompts (n, width) into x (B, L, width) after its first tokens, in place of `replace` old ones."""
    head, tail = x[:, :after], x[:, after + replace :]
    return torch.cat([head, prompts.expand(len(x), -1, -1).to(x.dtype), tail], dim=1)

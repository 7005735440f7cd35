"""How an open_clip text tower reads: its length, its attention, and the place that stands for the whole text.

The forms that are published (all by open_clip's TextTransformer, at the root of a CLIP or as `text` of a
CustomTextCLIP):

| towers | tokens | attention | read at |
|---|---|---|---|
| CLIP, GeoRSCLIP, RemoteCLIP, SkyCLIP | 77 | causal | end-of-text |
| LongCLIP's kind (DGTRS-CLIP, FarSLIP B/16) | 248 | causal | end-of-text |
| PE-Core | 32 | causal | end-of-text |
| MobileCLIP2 | 77 | all tokens see all, the padding too | end-of-text |
| SigLIP, Git-RSCLIP | 64 | all tokens see all, the padding too | the last place, whatever stands there |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, TextTransformer
from torch import Tensor, nn

from avion_core.errors import CheckpointError


@dataclass(frozen=True)
class TextBatch:
    """Token ids of some texts, cut to what can matter."""

    tokens: Tensor
    """(N, L); under a causal mask L is the last place that is read + 1."""
    ends: Tensor
    """(N,) the place that is read of each text."""
    shared: int
    """How many leading tokens all texts have in common: they have the same states in all. 0 without a causal mask."""


@dataclass(frozen=True)
class TextSide:
    """A text tower's parts and rules. L is the length of a text in tokens, W the tower's width, D the embeddings'."""

    token_embedding: nn.Module
    positional_embedding: Tensor
    """(context length, W)."""
    blocks: nn.ModuleList
    ln_final: nn.Module
    projection: nn.Module | Tensor | None
    width: int
    context_length: int
    causal: bool
    """Whether a token sees only itself and what stands before it."""
    pool: str
    """Where a text is read: "argmax" (the highest id), "eos" (`end_id`), "first" or "last"."""
    end_id: int
    dim: int
    """D."""
    starts: int
    """How many marks stand before the words: learned vectors stand after them."""

    def batch(self, tokens: Tensor, device: torch.device | str = "cpu") -> TextBatch:
        """Token ids (N, L), as the tokenizer gives them, for `FrozenEncoders.text`."""
        ends = self.ends(tokens)
        tokens = self.cut(tokens)
        shared = 0
        if self.causal:
            same = (tokens == tokens[:1]).all(dim=0)
            # Every text keeps at least the place that is read as its own.
            shared = min(int(same.long().cumprod(0).sum()), int(ends.min()))
        return TextBatch(tokens.to(device), ends.to(device), shared)

    def ends(self, tokens: Tensor) -> Tensor:
        """(N, L) token ids -> (N,) the place that is read of each text."""
        if self.pool == "argmax":
            return tokens.argmax(1)
        if self.pool == "eos":
            return (tokens == self.end_id).int().argmax(1)
        return torch.full((len(tokens),), 0 if self.pool == "first" else tokens.shape[1] - 1, device=tokens.device)

    def cut(self, tokens: Tensor) -> Tensor:
        """(N, L) -> (N, L'): without the columns that nothing is read of.

        Under a causal mask those are all after the last place that is read; where all tokens see all, there are none.
        """
        if not self.causal or not len(tokens):
            return tokens
        return tokens[:, : int(self.ends(tokens).max()) + 1]

    def embed(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """(N, L) token ids, and the place (N,) that is read of each -> (N, D), not of unit norm."""
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]  # (N, L, W)
        for block in self.blocks:
            x = transformer_block(block, x, causal=self.causal)
        return self.project(x[torch.arange(len(x), device=x.device), ends])

    def project(self, read: Tensor) -> Tensor:
        """States (N, W) at the places that are read -> (N, D), not of unit norm."""
        x = self.ln_final(read)
        if self.projection is None:
            return x
        return self.projection(x) if isinstance(self.projection, nn.Module) else x @ self.projection


def text_side(clip: Any, name: str, *, starts: int = 1) -> TextSide:
    """The text tower of an open_clip CLIP or CustomTextCLIP.

    Args:
        starts: how many marks its tokenizer puts before the words.

    Raises:
        CheckpointError: a tower of another kind: one from transformers, or CoCa's with its own class token.
    """
    root = isinstance(clip, open_clip.CLIP)  # it has its text tower's parts at its root
    text: Any = clip if root else clip.text
    if not root and not _is_own(text):
        raise _unfit(f"its text tower is a {type(text).__name__}", name)
    if getattr(text, "cls_emb", None) is not None or getattr(text, "use_pad_mask", False):
        raise _unfit("its text tower has a class token of its own, as CoCa's has", name)
    pool: str = text.text_pool_type if root else text.pool_type
    if pool not in ("argmax", "eos", "first", "last"):
        raise _unfit(f"its texts are read at no one place (pool_type {pool})", name)
    blocks = text.transformer.resblocks
    if any(not plain_block(block) for block in blocks):
        raise _unfit("its text tower has blocks of a special kind", name)
    projection = text.text_projection
    return TextSide(
        token_embedding=text.token_embedding,
        positional_embedding=text.positional_embedding,
        blocks=blocks,
        ln_final=text.ln_final,
        projection=projection,
        width=text.transformer.width,
        context_length=text.context_length,
        causal=text.attn_mask is not None,
        pool=pool,
        end_id=text.text_eos_id if root else text.eos_id,
        dim=_width_out(projection, text.transformer.width),
        starts=starts,
    )


def _is_own(text: object) -> bool:
    return isinstance(text, TextTransformer)


def plain_block(block: nn.Module) -> bool:
    """Whether `transformer_block` computes what the block itself does."""
    return isinstance(block, ResidualAttentionBlock) and not hasattr(block, "ln_1_kv")


def transformer_block(block: Any, x: Tensor, *, causal: bool = False) -> Tensor:
    """One pre-norm block of an open_clip transformer: (B, L, width) -> (B, L, width).

    The same numbers as calling the block. Its nn.MultiheadAttention, though, projects a transposed view,
    which under autocast on a CPU falls back to a batched product seven times slower than this one.
    """
    batch, length, width = x.shape
    attention = block.attn
    heads = attention.num_heads
    qkv = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)  # (B, L, 3 width)
    q, k, v = qkv.view(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)  # (B, heads, L, width/heads)
    attended = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    x = x + block.ls_1(attention.out_proj(attended.transpose(1, 2).reshape(batch, length, width)))
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def _width_out(projection: Any, width: int) -> int:
    if projection is None:
        return width
    return projection.out_features if isinstance(projection, nn.Linear) else projection.shape[1]


def _unfit(what: str, name: str) -> CheckpointError:
    hint = "Use a CLIP whose text tower is open_clip's own transformer, such as ViT-B-32-quickgelu."
    return CheckpointError(f"this model cannot be read: {what}", hint, value=name)

"""The student: a frozen CLIP with learned prompt tokens in every layer of both encoders.

AVION, docs/method.md section 4. Prompts stand right after the CLS token (images) and the start token
(texts). In the deep form each layer gets its own prompts and its outputs at their places are dropped;
in the shallow form the first layer's prompts travel on.

Three properties make it fast without changing a number beyond rounding:
- weights are frozen, so the backward pass computes activations' gradients only, and the large
  matrices can be held in bfloat16 while norms, softmaxes, residuals and prompts stay float32;
- the text mask is strictly causal, so tokens after the last end-of-text cannot matter and are cut off;
- for the same reason the tokens that all texts of a batch begin with (start, prompts, the template's
  words before the class name) have the same states in every text and are run once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avion_core.backbones.towers import OpenClipTowers
from avion_core.config import StudentConfig


@dataclass(frozen=True)
class TextBatch:
    """Token ids of some texts, cut to what can matter."""

    tokens: Tensor
    """(N, L) with L = the last end-of-text position + 1."""
    ends: Tensor
    """(N,) place of each text's end-of-text token."""
    shared: int
    """How many leading tokens all texts have in common (at least the start token)."""


def text_batch(tokens: Tensor, device: torch.device | str = "cpu") -> TextBatch:
    """Prepare token ids (N, 77), as open_clip's tokenizer gives them; end-of-text is the highest id."""
    ends = tokens.argmax(dim=1)
    tokens = tokens[:, : int(ends.max()) + 1]
    same = (tokens == tokens[:1]).all(dim=0)
    shared = int(same.long().cumprod(0).sum())
    # Every text keeps at least its end-of-text token as its own.
    shared = min(shared, int(ends.min()))
    return TextBatch(tokens.to(device), ends.to(device), shared)


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
        # Plain lists, not submodules: the backbone belongs to the towers and stays out of state_dict.
        self._visual_blocks = [FrozenBlock(block, precision) for block in visual.resblocks]
        self._text_blocks = [FrozenBlock(block, precision) for block in text.resblocks]
        self.precision = precision

    @property
    def embed_dim(self) -> int:
        return self.backbone.dim

    def encode_image(self, pixels: Tensor) -> Tensor:
        """pixels (B, 3, S, S) uint8 -> embeddings (B, D_S), unit norm, float32."""
        visual: Any = self.backbone.clip.visual
        x = visual._embeds(self.backbone.normalize(pixels))  # (B, 1 + patches, width)
        layers, count, _ = self.visual_prompts.shape
        for i, block in enumerate(self._visual_blocks):
            if i < layers:
                x = _insert(x, self.visual_prompts[i], after=1, replace=count if i else 0)
            x = block(x)
        pooled = visual.ln_post(x[:, 0])
        return F.normalize(pooled @ visual.proj, dim=-1)

    def encode_text(self, batch: TextBatch) -> Tensor:
        """Token ids of N texts -> embeddings (N, D_S), unit norm, float32."""
        clip: Any = self.backbone.clip
        words = clip.token_embedding(batch.tokens) + clip.positional_embedding[: batch.tokens.shape[1]]
        prefix, own = words[:1, : batch.shared], words[:, batch.shared :]  # (1, P, width), (N, L - P, width)
        layers, count, _ = self.text_prompts.shape
        for i, block in enumerate(self._text_blocks):
            if i < layers:
                prefix = _insert(prefix, self.text_prompts[i], after=1, replace=count if i else 0)
            prefix, own = block.causal(prefix, own)
        last = own[torch.arange(len(own), device=own.device), batch.ends - batch.shared]
        return F.normalize(clip.ln_final(last) @ clip.text_projection, dim=-1)

    def tokenize(self, texts: list[str]) -> TextBatch:
        """Texts as this student reads them, on its device."""
        return text_batch(self.backbone.tokenize(texts), self.visual_prompts.device)

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Keep the logit scale's logarithm in [0, ln 100], as CLIP does."""
        self.logit_scale.clamp_(0, 4.605170185988092)


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

    def __call__(self, x: Tensor) -> Tensor:
        """x (B, L, width) -> (B, L, width), every token sees every token."""
        q, k, v = self._project(x)
        return self._finish(x, F.scaled_dot_product_attention(q, k, v))

    def causal(self, prefix: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """prefix (1, P, width), common to all N texts, and own (N, L, width) -> the same shapes.

        Every token sees itself and what stands before it: prefix tokens the prefix, own tokens the
        whole prefix and their own text so far.
        """
        q, k, v = self._project(prefix)
        new_prefix = self._finish(prefix, F.scaled_dot_product_attention(q, k, v, is_causal=True))
        own_q, own_k, own_v = self._project(own)
        count, length, before = len(own), own.shape[1], prefix.shape[1]
        k = torch.cat([k.expand(count, -1, -1, -1), own_k], dim=2)  # (N, heads, P + L, width / heads)
        v = torch.cat([v.expand(count, -1, -1, -1), own_v], dim=2)
        mask = torch.ones(length, before + length, dtype=torch.bool, device=own.device).tril(before)
        return new_prefix, self._finish(own, F.scaled_dot_product_attention(own_q, k, v, attn_mask=mask))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (B, heads, L, width / heads)."""
        batch, length, width = x.shape
        qkv = self._linear(self.ln_1(x), self.qkv).view(batch, length, 3, self.heads, width // self.heads)
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


def _insert(x: Tensor, prompts: Tensor, *, after: int, replace: int) -> Tensor:
    """Put prompts (n, width) into x (B, L, width) after its first tokens, in place of `replace` old ones."""
    head, tail = x[:, :after], x[:, after + replace :]
    return torch.cat([head, prompts.expand(len(x), -1, -1).to(x.dtype), tail], dim=1)

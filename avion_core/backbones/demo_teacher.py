"""The bundled teacher: two small frozen trunks and the maps that join them.

EfficientNet-Lite0 (ImageNet-1k) sees, all-MiniLM-L6-v2 reads, and two small heads, trained by
tools/pretrain_demo.py, bring both into one 384-d space. It stands in for GeoRSCLIP ViT-H/14 where no
network is at hand: like it, it is frozen and has its own embedding dimension (the student's is 256).
"""

from __future__ import annotations

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avion_core.backbones.reading_length import DEMO_TEACHER_TOKENS

EMBED_DIM = 384
IMAGE_SIZE = 224
TRUNK_DIM = 1280
TEXT_WIDTH = 384
CONTEXT_LENGTH = DEMO_TEACHER_TOKENS


class MiniLM(nn.Module):
    """all-MiniLM-L6-v2: a 6-layer BERT encoder with mean pooling over the tokens."""

    def __init__(self, vocab_size: int = 30522, layers: int = 6, heads: int = 12, positions: int = 512) -> None:
        super().__init__()
        self.word = nn.Embedding(vocab_size, TEXT_WIDTH)
        self.position = nn.Embedding(positions, TEXT_WIDTH)
        self.segment = nn.Embedding(2, TEXT_WIDTH)
        self.norm = nn.LayerNorm(TEXT_WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(_EncoderLayer(TEXT_WIDTH, heads) for _ in range(layers))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """tokens (N, L) and mask (N, L; True = a word) -> mean-pooled features (N, 384)."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.word(tokens) + self.position(place) + self.segment.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, mask)
        weight = mask.unsqueeze(-1).to(x.dtype)
        return (x * weight).sum(1) / weight.sum(1).clamp_min(1)


class _EncoderLayer(nn.Module):
    """Post-norm transformer block with BERT's parameter layout."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width, eps=1e-12)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.down_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = (batch, length, self.heads, width // self.heads)
        q, k, v = (f(x).view(split).transpose(1, 2) for f in (self.query, self.key, self.value))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        x = self.out_norm(x + self.out(attended.transpose(1, 2).reshape(batch, length, width)))
        return self.down_norm(x + self.down(F.gelu(self.up(x))))


class DemoTeacher(nn.Module):
    """Image trunk + head and text trunk + head in one 384-d space, with CLIP's logit scale."""

    def __init__(self) -> None:
        super().__init__()
        self.image_trunk = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
        self.text_trunk = MiniLM()
        self.image_head = nn.Sequential(nn.Linear(TRUNK_DIM, 512), nn.GELU(), nn.Linear(512, EMBED_DIM))
        self.text_head = nn.Linear(TEXT_WIDTH, EMBED_DIM)
        self.logit_scale = nn.Parameter(torch.tensor(14.0).log())

    def encode_image(self, images: Tensor) -> Tensor:
        """images (B, 3, 224, 224), scaled to [-1, 1] -> embeddings (B, 384), not normalized."""
        return self.image_head(self.image_trunk(images))

    def encode_text(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """tokens and mask (N, L) -> embeddings (N, 384), not normalized."""
        return self.text_head(F.normalize(self.text_trunk(tokens, mask), dim=-1))


def minilm_from_bert(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a Hugging Face BERT state dict to this module's names; the pooler is not used and dropped."""
    outer = {
        "embeddings.word_embeddings.": "word.",
        "embeddings.position_embeddings.": "position.",
        "embeddings.token_type_embeddings.": "segment.",
        "embeddings.LayerNorm.": "norm.",
    }
    inner = {
        "attention.self.query": "query",
        "attention.self.key": "key",
        "attention.self.value": "value",
        "attention.output.dense": "out",
        "attention.output.LayerNorm": "out_norm",
        "intermediate.dense": "up",
        "output.dense": "down",
        "output.LayerNorm": "down_norm",
    }
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        for old, new in outer.items():
            name = name.replace(old, new)
        if name.startswith("encoder.layer."):
            _, _, index, rest = name.split(".", 3)
            part, leaf = rest.rsplit(".", 1)
            name = f"layers.{index}.{inner[part]}.{leaf}"
        renamed[name] = value
    return renamed

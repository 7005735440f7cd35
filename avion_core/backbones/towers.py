"""Two frozen towers behind one small protocol: an image tower, a text tower, one embedding space.

A teacher is anything with this protocol; the student's backbone is the open_clip kind. Embeddings are
float32 and of unit norm whatever the arithmetic inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import open_clip
import PIL.Image
import tokenizers
import torch
import torch.nn.functional as F
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from avion_core.backbones.demo_teacher import CONTEXT_LENGTH, EMBED_DIM, IMAGE_SIZE, DemoTeacher
from avion_core.errors import CheckpointError, DataError

TEXT_BATCH = 64


class ImageTower(Protocol):
    """An image encoder; D is `dim`, S is `image_size`."""

    name: str
    dim: int
    image_size: int
    device: torch.device
    weights_hash: str
    """16 hex characters over every tensor and the activation: what decides an embedding, but for the view."""
    view: str
    """The preprocessing in words; features made under another one are not reused."""

    def prepare(self, image: PIL.Image.Image) -> Tensor:
        """The one deterministic view of an RGB image: uint8 (3, S, S)."""
        ...

    def encode_image(self, pixels: Tensor, precision: str = "float32") -> Tensor:
        """uint8 (B, 3, S, S) -> float32 (B, D) of unit norm, on `device`."""
        ...


class Towers(ImageTower, Protocol):
    """A frozen pair of encoders."""

    logit_scale: float
    """The factor on cosines, already exponentiated (100 for most CLIP models)."""

    def encode_text(self, texts: Sequence[str], precision: str = "float32") -> Tensor:
        """N texts -> float32 (N, D) of unit norm, on `device`, in the order given."""
        ...

    def too_long(self, texts: Sequence[str]) -> list[int]:
        """Places of the texts that run past the context; the towers read their beginning only."""
        ...


class OpenClipTowers:
    """An open_clip CLIP with a causal text tower, frozen.

    Args:
        clip: the model; put into eval mode, its parameters no longer take gradients.
        quick_gelu: the activation that the weights were trained with. Nothing in a checkpoint tells it, and a
            wrong one costs accuracy without a word, so the model's own layers are checked against it.
        tokenizer: open_clip's bundled BPE by default; it needs no network.

    Raises:
        CheckpointError: `clip` was built with another activation, or is not CLIP's plain pair of transformers.
    """

    def __init__(
        self,
        name: str,
        clip: open_clip.CLIP,
        *,
        quick_gelu: bool,
        device: str | torch.device = "cpu",
        tokenizer: SimpleTokenizer | None = None,
    ) -> None:
        _check_architecture(name, clip)
        _check_activation(name, clip, quick_gelu)
        self.name = name
        self.quick_gelu = quick_gelu
        self.weights_hash = hash_weights(clip, f"quick_gelu={quick_gelu}")
        self.device = torch.device(device)
        self.clip = clip.to(self.device).eval().requires_grad_(False)
        self.tokenizer = tokenizer or clip_tokenizer(clip.context_length)
        visual: Any = clip.visual
        self.dim, self.image_size = visual.output_dim, visual.image_size[0]
        self.view = f"shortest side {self.image_size} bicubic, centre crop, OpenAI mean and std"
        self.logit_scale = float(clip.logit_scale.exp())
        mean, std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in _OPENAI_MEAN_STD)
        self._shift, self._scale = mean * 255, 1 / (std * 255)

    def prepare(self, image: PIL.Image.Image) -> Tensor:
        return shortest_side_view(image, self.image_size)

    def normalize(self, pixels: Tensor) -> Tensor:
        """uint8 (B, 3, S, S) -> float32 (B, 3, S, S) with CLIP's mean and deviation per channel."""
        return (pixels - self._shift) * self._scale

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """N texts -> int64 (N, 77): start, words, end-of-text (the highest id), zeros; too long ones are cut."""
        return self.tokenizer(list(texts))

    def too_long(self, texts: Sequence[str]) -> list[int]:
        room = self.clip.context_length - 2
        return [i for i, text in enumerate(texts) if len(self.tokenizer.encode(text)) > room]

    def encode_image(self, pixels: Tensor, precision: str = "float32") -> Tensor:
        _check_pixels(pixels, self.image_size)
        with torch.inference_mode(), autocast(precision, self.device):
            x = image_projection(self.clip, self.normalize(pixels.to(self.device)))  # (B, D)
        return _unit(x)

    def encode_text(self, texts: Sequence[str], precision: str = "float32") -> Tensor:
        tokens = self.tokenize(texts)
        features = torch.empty(len(texts), self.dim, device=self.device)
        for rows in _in_length_order(tokens.argmax(1)):
            features[rows] = self.encode_tokens(tokens[rows], precision)
        return features

    def encode_tokens(self, tokens: Tensor, precision: str = "float32") -> Tensor:
        """int64 (B, 77) -> float32 (B, D) of unit norm.

        Columns after the batch's last end-of-text token are cut off first: under the causal mask they
        cannot reach the token that is read (METHOD, section 4).
        """
        with torch.inference_mode(), autocast(precision, self.device):
            x = text_projection(self.clip, cut_context(tokens).to(self.device), tokens.argmax(1))  # (B, D)
        return _unit(x)


class DemoTeacherTowers:
    """The bundled teacher (backbones/demo_teacher.py), frozen.

    Args:
        tokenizer: all-MiniLM-L6-v2's; its padding and its cut are set here.
    """

    def __init__(
        self,
        name: str,
        model: DemoTeacher,
        tokenizer: tokenizers.Tokenizer,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        self.name = name
        self.weights_hash = hash_weights(model, "demo teacher")
        self.device = torch.device(device)
        # Pixels beside pixels (channels last): the depthwise convolutions run about twice as fast on a CPU.
        model.to(device=self.device).to(memory_format=torch.channels_last)
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(CONTEXT_LENGTH)
        self.dim, self.image_size = EMBED_DIM, IMAGE_SIZE
        self.view = f"shortest side {IMAGE_SIZE} bicubic, centre crop, scaled to [-1, 1]"
        self.logit_scale = float(model.logit_scale.exp())

    def prepare(self, image: PIL.Image.Image) -> Tensor:
        return shortest_side_view(image, self.image_size)

    def too_long(self, texts: Sequence[str]) -> list[int]:
        return [i for i, code in enumerate(self.tokenizer.encode_batch(list(texts))) if code.overflowing]

    def encode_image(self, pixels: Tensor, precision: str = "float32") -> Tensor:
        _check_pixels(pixels, self.image_size)
        with torch.inference_mode(), autocast(precision, self.device):
            x = pixels.to(self.device).contiguous(memory_format=torch.channels_last)
            x = self.model.encode_image(x / 127.5 - 1)
        return _unit(x)

    def encode_text(self, texts: Sequence[str], precision: str = "float32") -> Tensor:
        features = torch.empty(len(texts), self.dim, device=self.device)
        codes = self.tokenizer.encode_batch(list(texts))
        tokens = torch.tensor([code.ids for code in codes], device=self.device)  # (N, L)
        mask = torch.tensor([code.attention_mask for code in codes], device=self.device).bool()
        lengths = torch.tensor([sum(code.attention_mask) for code in codes], dtype=torch.long)
        for rows in _in_length_order(lengths):
            length = int(lengths[rows].max())
            with torch.inference_mode(), autocast(precision, self.device):
                x = self.model.encode_text(tokens[rows, :length], mask[rows, :length])
            features[rows] = _unit(x)
        return features


def image_projection(clip: Any, x: Tensor) -> Tensor:
    """Normalized images (B, 3, S, S) -> what an open_clip CLIP projects them to, (B, D), not of unit norm."""
    visual = clip.visual
    x = visual._embeds(x)  # (B, 1 + patches, width)
    for block in visual.transformer.resblocks:
        x = transformer_block(block, x)
    return visual.ln_post(x[:, 0]) @ visual.proj


def text_projection(clip: Any, tokens: Tensor, ends: Tensor) -> Tensor:
    """Tokens (B, L), and the place (B,) of each end -> what a CLIP projects the texts to, (B, D), not of unit norm."""
    x = clip.token_embedding(tokens) + clip.positional_embedding[: tokens.shape[1]]  # (B, L, width)
    for block in clip.transformer.resblocks:
        x = transformer_block(block, x, causal=True)
    return clip.ln_final(x[torch.arange(len(x)), ends]) @ clip.text_projection


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


def cut_context(tokens: Tensor) -> Tensor:
    """int64 (B, 77) -> (B, L): without the columns after the batch's last end-of-text token, the highest id."""
    return tokens[:, : int(tokens.argmax(1).max()) + 1] if len(tokens) else tokens


def resolve_precision(precision: str, device: str | torch.device) -> str:
    """`auto` -> `bfloat16` on a CUDA device, and on a CPU whose units multiply bfloat16; else `float32`."""
    if precision != "auto":
        return precision
    if torch.device(device).type == "cuda":
        return "bfloat16"
    units = torch.cpu.get_capabilities()
    return "bfloat16" if units.get("avx512_bf16") or units.get("amx_bf16") else "float32"


def autocast(precision: str, device: str | torch.device) -> AbstractContextManager:
    """The context that computes in the given precision (`auto`, `float32` or `bfloat16`)."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=resolve_precision(precision, device) == "bfloat16")


def shortest_side_view(image: PIL.Image.Image, size: int) -> Tensor:
    """RGB image -> uint8 (3, size, size): shortest side to `size` (bicubic), centre crop, in one pass.

    Only the part that the crop keeps is resampled, so a very long image costs no more than a square one.
    """
    if image.mode != "RGB":
        raise DataError("the image is not RGB", "Open it with open_image and a rendering recipe.", value=image.mode)
    # torchvision rounds the resized side down and the crop's corner to the nearest pixel; so does this.
    resized = [size * side // min(image.size) for side in image.size]
    corner = [round((side - size) / 2) for side in resized]
    left, top = (c * side / new for c, side, new in zip(corner, image.size, resized, strict=True))
    right, bottom = ((c + size) * side / new for c, side, new in zip(corner, image.size, resized, strict=True))
    view = image.resize((size, size), PIL.Image.Resampling.BICUBIC, box=(left, top, right, bottom))
    return torch.from_numpy(np.array(view)).permute(2, 0, 1).contiguous()


def hash_weights(model: nn.Module, *facts: str) -> str:
    """16 hex characters over each tensor's name, type, shape and bytes, and over facts that no tensor holds."""
    total = hashlib.sha256("\n".join(facts).encode())
    with ThreadPoolExecutor() as threads:  # hashing lets go of the interpreter lock
        for digest in threads.map(_hash_tensor, sorted(model.state_dict().items())):
            total.update(digest)
    return total.hexdigest()[:16]


def _hash_tensor(named: tuple[str, Tensor]) -> bytes:
    name, tensor = named
    digest = hashlib.sha256(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.digest()


@lru_cache(maxsize=4)
def clip_tokenizer(context_length: int) -> SimpleTokenizer:
    """open_clip's bundled BPE, read once per process: that takes longer than opening small towers."""
    return SimpleTokenizer(context_length=context_length)


_OPENAI_MEAN_STD = (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)


def _check_architecture(name: str, clip: Any) -> None:
    visual = clip.visual
    plain_vision = isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.pool_type == "tok"
    if not plain_vision or clip.attn_mask is None or clip.text_pool_type != "argmax":
        raise CheckpointError(
            "the towers are not CLIP's vision transformer and causal text transformer",
            "Use an open_clip architecture of that kind, such as ViT-B-32-quickgelu.",
            value=name,
        )


def _check_activation(name: str, clip: Any, quick_gelu: bool) -> None:
    blocks = [*clip.visual.transformer.resblocks, *clip.transformer.resblocks]
    if any(isinstance(block.mlp.gelu, QuickGELU) != quick_gelu for block in blocks):
        names = ("QuickGELU", "GELU") if quick_gelu else ("GELU", "QuickGELU")
        raise CheckpointError(
            f"the weights were trained with {names[0]}, but the towers are built with {names[1]}",
            "Build them from an open_clip architecture that ends in -quickgelu."
            if quick_gelu
            else "Build them from the open_clip architecture without -quickgelu.",
            value=name,
        )


def _check_pixels(pixels: Tensor, size: int) -> None:
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, size, size):
        raise DataError(
            f"the image tower reads uint8 pixels of shape (B, 3, {size}, {size})",
            "Make them with the towers' own prepare.",
            value=f"{pixels.dtype} {tuple(pixels.shape)}",
        )


def _unit(features: Tensor) -> Tensor:
    # Outside inference mode, so that what comes out may enter a loss.
    return F.normalize(features.float(), dim=-1)


def _in_length_order(lengths: Tensor) -> Iterator[Tensor]:
    """Rows in batches of like length, so that little of a batch is padding."""
    yield from lengths.argsort(stable=True).split(TEXT_BATCH) if len(lengths) else ()

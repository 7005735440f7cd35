"""Two frozen towers behind one small protocol: an image tower, a text tower, one embedding space.

A teacher is anything with this protocol; the student's backbone is the open_clip kind. Embeddings are
float32 and of unit norm whatever the arithmetic inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Protocol

import PIL.Image
import tokenizers
import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU
from torch import Tensor, nn

from avion_core.backbones.demo_teacher import CONTEXT_LENGTH, EMBED_DIM, IMAGE_SIZE, DemoTeacher
from avion_core.backbones.image_side import OpenClipImageSide, image_side
from avion_core.backbones.preprocessing import Preprocessing
from avion_core.backbones.text_side import text_side
from avion_core.backbones.tokenizing import BytePairs, Tokenizer
from avion_core.backbones.views import shortest_side_view, view_of
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
    """An open_clip model of any published form, frozen; `text_side` and `image_side` say which forms there are.

    Args:
        clip: a CLIP or CustomTextCLIP; put into eval mode, its parameters no longer take gradients.
        quick_gelu: the activation that the weights were trained with. Nothing in a checkpoint tells it, and a
            wrong one costs accuracy without a word, so the model's own layers are checked against it.
        tokenizer: CLIP's byte pairs by default; they need no network.
        preprocessing: of its images; OpenAI's by default.
        facts: what else decides an embedding and is in no tensor, for `weights_hash`.

    Raises:
        CheckpointError: `clip` was built with another activation, or is of a form that cannot be read.
    """

    logit_bias: float
    """What is added to the logits: 0 but for towers trained with a sigmoid (SigLIP), where sigmoid(scale cosine + bias)
    is the probability that an image and a text belong together. Among classes it moves all logits alike, so softmax,
    ranks and the distillation losses are the same without it."""

    def __init__(
        self,
        name: str,
        clip: Any,
        *,
        quick_gelu: bool,
        device: str | torch.device = "cpu",
        tokenizer: Tokenizer | None = None,
        preprocessing: Preprocessing | None = None,
        facts: str = "",
    ) -> None:
        self.tokenizer = tokenizer or BytePairs(clip.context_length)
        self.text = text_side(clip, name, starts=self.tokenizer.starts)
        self.image = image_side(clip.visual)
        _check_activation(name, self, quick_gelu)
        self.name = name
        self.quick_gelu = quick_gelu
        self.weights_hash = hash_weights(clip, f"quick_gelu={quick_gelu}", *([facts] if facts else []))
        self.device = torch.device(device)
        self.clip = clip.to(self.device).eval().requires_grad_(False)
        size = clip.visual.image_size
        self.image_size = size if isinstance(size, int) else size[0]
        self.dim = self.text.dim
        self.preprocessing = preprocessing or Preprocessing()
        self.view = self.preprocessing.in_words(self.image_size)
        self.logit_scale = float(clip.logit_scale.exp())
        bias = getattr(clip, "logit_bias", None)
        self.logit_bias = 0.0 if bias is None else float(bias)
        of_channel = (self.preprocessing.mean, self.preprocessing.std)
        mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in of_channel)
        self._shift, self._scale = mean * 255, 1 / (std * 255)

    def prepare(self, image: PIL.Image.Image) -> Tensor:
        return view_of(image, self.image_size, self.preprocessing)

    def normalize(self, pixels: Tensor) -> Tensor:
        """uint8 (B, 3, S, S) -> float32 (B, 3, S, S) with the model's mean and deviation per channel."""
        return (pixels - self._shift) * self._scale

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """N texts -> int64 (N, context length), as the model reads them; too long ones are cut."""
        return self.tokenizer(texts)

    def too_long(self, texts: Sequence[str]) -> list[int]:
        return [i for i, text in enumerate(texts) if len(self.tokenizer.words(text)) > self.tokenizer.room]

    def encode_image(self, pixels: Tensor, precision: str = "float32") -> Tensor:
        _check_pixels(pixels, self.image_size)
        with torch.inference_mode(), autocast(precision, self.device):
            x = self.image.embed(self.normalize(pixels.to(self.device)))  # (B, D)
        return _unit(x)

    def encode_text(self, texts: Sequence[str], precision: str = "float32") -> Tensor:
        tokens = self.tokenize(texts)
        features = torch.empty(len(texts), self.dim, device=self.device)
        for rows in _in_length_order(self.text.ends(tokens)):
            features[rows] = self.encode_tokens(tokens[rows], precision)
        return features

    def encode_tokens(self, tokens: Tensor, precision: str = "float32") -> Tensor:
        """int64 (B, context length) -> float32 (B, D) of unit norm.

        Under a causal mask, columns after the batch's last place that is read are cut off first: they cannot reach it
        (METHOD, section 4).
        """
        ends = self.text.ends(tokens).to(self.device)
        with torch.inference_mode(), autocast(precision, self.device):
            x = self.text.embed(self.text.cut(tokens).to(self.device), ends)  # (B, D)
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


def _check_activation(name: str, towers: OpenClipTowers, quick_gelu: bool) -> None:
    """timm's image towers have an activation of their own, which no setting changes."""
    blocks: list[Any] = [*towers.text.blocks]
    if isinstance(towers.image, OpenClipImageSide):
        blocks += towers.image.blocks
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

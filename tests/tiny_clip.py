"""Small real towers for tests: the same code as ViT-B/32, two layers deep."""

from __future__ import annotations

import open_clip
import torch

from avion_core.backbones.towers import OpenClipTowers

# Towers this small gain nothing by more, and sums stay in one order.
torch.set_num_threads(1)


def make_tiny_clip(dim: int = 32, seed: int = 0, name: str = "tiny", device: str = "cpu") -> OpenClipTowers:
    """A CLIP of two layers and width 64 on 32 px images, with random weights that are a function of the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        clip = open_clip.CLIP(
            embed_dim=dim,
            vision_cfg={"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
            text_cfg={"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
        )
    return OpenClipTowers(name, clip, quick_gelu=False, device=device)

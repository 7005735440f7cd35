"""Small real towers for tests: the same code as ViT-B/32, two layers deep."""

from __future__ import annotations

from typing import Any

import open_clip
import pytest
import torch
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from avion_core.backbones.towers import OpenClipTowers

torch.set_num_threads(1)
# Seconds say something of the machine, not of the code: no property fails for a busy processor.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


class OneProcessBrowses(LoadFileScheduling):
    """A file's tests stay together, and so do all that need a browser: they share it, a server and a trained home.

    They wait more than they compute, so beside another process's tests they fill two cores better than two browsers.
    """

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        return "tests/browser" if scope.startswith("tests/browser/") else scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneProcessBrowses:
    return OneProcessBrowses(config, log)


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


@pytest.fixture(scope="session")
def tiny_clip() -> OpenClipTowers:
    return make_tiny_clip()

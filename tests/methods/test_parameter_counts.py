"""How many numbers each method trains on ViT-B/16 CLIP, as its paper has it; nothing is computed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import open_clip
import pytest
import torch

from avion_core.backbones.frozen_encoders import FrozenEncoders
from avion_core.backbones.image_side import image_side
from avion_core.backbones.text_side import text_side
from avion_core.methods.applenet import ApplenetLearner
from avion_core.methods.clip_lora import ClipLoraLearner, ClipLoraSettings
from avion_core.methods.cocoop import CoCoOpLearner
from avion_core.methods.context import ContextLearner
from avion_core.methods.learner import Learner
from avion_core.methods.maple import MapleLearner
from avion_core.methods.prompt_kd import PromptKdLearner, PromptKdSettings
from avion_core.methods.prompt_src import PromptSrcLearner, PromptSrcSettings
from avion_core.methods.vpt import VptLearner

TEMPLATE = "a satellite photo of {}."


@pytest.fixture(scope="module")
def encoders() -> FrozenEncoders:
    """ViT-B/16's shapes without its numbers."""
    with torch.device("meta"):
        clip = open_clip.create_model("ViT-B-16-quickgelu", device="meta")
    sides = {"image": image_side(clip.visual), "text": text_side(clip.requires_grad_(False), "ViT-B/16")}
    backbone = SimpleNamespace(clip=clip, dim=512, logit_scale=100.0, device=torch.device("meta"), **sides)
    return FrozenEncoders(cast(Any, backbone))


def count(learner: Learner) -> int:
    return sum(parameter.numel() for parameter in learner.parameters())


def test_contexts(encoders: FrozenEncoders) -> None:
    assert count(ContextLearner(encoders, TEMPLATE, 16, "random", 1)) == 16 * 512  # CoOp: 8,192
    assert count(CoCoOpLearner(encoders, TEMPLATE, 4, "random", 1)) == 35_360  # as CoCoOp and MaPLe's table 4 say


def test_maple_s_are_3_55_million(encoders: FrozenEncoders) -> None:
    found = count(MapleLearner(encoders, TEMPLATE, 2, "random", 1, layers=9))
    assert found == 9 * 2 * 512 + 9 * (512 * 768 + 768) == 3_555_072


def test_prompt_src_s_are_46_thousand(encoders: FrozenEncoders) -> None:
    settings = PromptSrcSettings(start="random")
    assert count(PromptSrcLearner(encoders, TEMPLATE, 1, settings)) == 9 * 4 * (512 + 768) == 46_080


def test_clip_lora_s_are_184_thousand(encoders: FrozenEncoders) -> None:
    assert count(ClipLoraLearner(encoders, TEMPLATE, 1, ClipLoraSettings())) == 12 * 3 * 2 * 2 * (512 + 768) == 184_320


def test_vpt(encoders: FrozenEncoders) -> None:
    assert count(VptLearner(encoders, TEMPLATE, 8, 12, 1)) == 12 * 8 * 768
    assert count(VptLearner(encoders, TEMPLATE, 8, 1, 1)) == 8 * 768


def test_applenet_s_are_those_of_the_authors_modules(encoders: FrozenEncoders) -> None:
    """Twelve maps of layers, attention, two linear layers, the shift's network, and four context vectors."""
    maps = 12 * (768 * 512 + 512)
    injection = 2 * 512 * 32 + 2 * (1024 * 512 + 512)
    shift = 512 * 32 + 32 + 32 * 512 + 512
    assert count(ApplenetLearner(encoders, TEMPLATE, 4, "random", 1)) == maps + injection + shift + 4 * 512 == 5_842_464


def test_prompt_kd_s_projector(encoders: FrozenEncoders) -> None:
    teacher = SimpleNamespace(dim=768, logit_scale=100.0)
    found = count(PromptKdLearner(encoders, TEMPLATE, 1, PromptKdSettings(), cast(Any, teacher)))
    assert found == 9 * 4 * 768 + (512 * 768 + 768) + 2 * 768 + (768 * 768 + 768)

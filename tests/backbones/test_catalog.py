from __future__ import annotations

import open_clip
import pytest
import torch

from avion_core.backbones.catalog import CATALOG, find_entry
from avion_core.backbones.demo_teacher import EMBED_DIM, DemoTeacher
from avion_core.errors import NotFoundError
from avion_core.presets import PRESETS, make_config

HUB = [entry for entry in CATALOG.values() if entry.hub_repo is not None]


@pytest.mark.parametrize("entry", HUB, ids=lambda entry: entry.name)
def test_open_clip_builds_what_the_catalog_says(entry) -> None:
    config = open_clip.get_model_config(entry.architecture)
    assert config is not None
    with torch.device("meta"):
        clip = open_clip.CLIP(**config)
    assert sum(p.numel() for p in clip.parameters()) == entry.parameters
    assert clip.text_projection.shape[1] == entry.dim
    assert clip.visual.image_size == (entry.image_size, entry.image_size)
    assert bool(config.get("quick_gelu")) is entry.quick_gelu
    assert entry.size_bytes == pytest.approx(4 * entry.parameters, rel=0.01)


def test_only_the_laion_tower_has_plain_gelu() -> None:
    """OpenAI's towers, and what was fine-tuned from them, were trained with QuickGELU; ViT-H/14 (laion2b) was not."""
    assert {entry.name for entry in HUB if not entry.quick_gelu} == {"georsclip-vit-h-14"}


def test_demo_teachers_figures() -> None:
    with torch.device("meta"):
        teacher = DemoTeacher()
    entry = CATALOG["demo-teacher"]
    assert (sum(p.numel() for p in teacher.parameters()), EMBED_DIM) == (entry.parameters, entry.dim)


def test_every_preset_names_towers_of_the_catalog() -> None:
    for preset in PRESETS:
        config = make_config(preset)
        assert {config.teacher, config.student} <= CATALOG.keys()


def test_unknown_name() -> None:
    with pytest.raises(
        NotFoundError, match=r"The catalog has no such model: vit-z\. Choose one of: georsclip-vit-b-32"
    ):
        find_entry("vit-z")

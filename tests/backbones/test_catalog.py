from __future__ import annotations

from pathlib import Path

import pytest
import torch

from avion_core.backbones.architectures import model_shape
from avion_core.backbones.demo_teacher import EMBED_DIM, DemoTeacher
from avion_core.backbones.entries import CATALOG, ENTRIES
from avion_core.errors import NotFoundError
from avion_core.presets import PRESETS, make_config

PUBLISHED = [entry for entry in ENTRIES.values() if not entry.bundled]


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.name)
def test_open_clip_builds_what_the_catalog_says(entry) -> None:
    shape = model_shape(entry, Path())
    assert (shape.parameters, shape.dim, shape.image_size) == (entry.parameters, entry.dim, entry.image_size)
    assert shape.visual_prompts == entry.visual_prompts
    assert shape.text_blocks[2] == (entry.context_length or shape.text_blocks[2])
    if entry.size_bytes:
        bytes_each = 2 if entry.name == "git-rsclip-base" else 4  # the one that is published in half precision
        assert entry.size_bytes == pytest.approx(bytes_each * entry.parameters, rel=0.01)


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.name)
def test_an_entry_says_where_its_weights_are_and_under_which_licence(entry) -> None:
    assert entry.licence
    assert "http" in entry.source
    assert entry.hub_repo or entry.address.startswith("https://")
    if not entry.origin:  # nobody could say under which name the repository has it
        assert entry.name == "dgtrs-clip-vit-b-16"


def test_towers_that_came_of_openais_have_quick_gelu_and_others_have_not() -> None:
    """OpenAI's towers, and what was fine-tuned from them, were trained with QuickGELU; those of laion2b were not."""
    plain = {entry.name for entry in PUBLISHED if entry.architecture.startswith("ViT-") and not entry.quick_gelu}
    assert plain == {
        *("georsclip-vit-h-14", "skyclip-vit-b-32"),
        *("git-rsclip-base", "git-rsclip-large", "siglip2-vit-b-32-256"),
    }


def test_how_long_a_text_may_be() -> None:
    lengths = {entry.name: model_shape(entry, Path()).text_blocks[2] for entry in PUBLISHED}
    assert {name for name, length in lengths.items() if length == 248} == {
        *("farslip-vit-b-16", "dgtrs-clip-vit-b-16", "dgtrs-clip-vit-l-14")
    }
    assert {name for name, length in lengths.items() if length == 32} == {"pe-core-t-16-384", "pe-core-s-16-384"}
    assert {name for name, length in lengths.items() if length == 64} == {
        *("git-rsclip-base", "git-rsclip-large", "siglip2-vit-b-32-256")
    }


def test_models_tuned_on_data_that_others_measure_on_say_so() -> None:
    assert "RSITMD and RSICD" in ENTRIES["georsclip-vit-b-32-ret2"].warning
    assert "AID" in ENTRIES["remoteclip-vit-b-32"].warning
    assert "research alone" in ENTRIES["mobileclip2-s0"].licence


def test_demo_teachers_figures() -> None:
    with torch.device("meta"):
        teacher = DemoTeacher()
    entry = ENTRIES["demo-teacher"]
    assert (sum(p.numel() for p in teacher.parameters()), EMBED_DIM) == (entry.parameters, entry.dim)


def test_every_preset_names_towers_of_the_catalog() -> None:
    for preset in PRESETS:
        config = make_config(preset)
        assert {config.teacher, config.student} <= ENTRIES.keys()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("vit-z", r"Choose one of: georsclip-vit-b-32, "),
        ("remoteclip-vit-b32", r"Choose one of: remoteclip-vit-b-32, "),
        ("hf-hub:org/clip", r"Enter it first: `avion models enter hf-hub:org/clip`"),
    ],
)
def test_unknown_name(name: str, hint: str) -> None:
    with pytest.raises(NotFoundError, match=rf"The catalog has no such model: {name}\. {hint}"):
        CATALOG.find(name)

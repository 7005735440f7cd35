"""CLIP's weights under the names that others give them load into the same towers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import torch
from torch import Tensor

from avion_core.backbones.checkpoint import load_strict
from avion_core.backbones.clip_names import open_clip_names
from avion_core.errors import CheckpointError
from tests.tiny_clip import make_tiny_clip

FILE = Path("weights.pt")


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in make_tiny_clip().clip.state_dict().items()}


def under(prefix: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda weights: {prefix + name: value for name, value in weights.items()}


def with_extras(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """What OpenAI's, transformers' and SigLIP-like files carry beside the weights."""
    names = ("input_resolution", "context_length", "vocab_size", "logit_bias", "text_model.embeddings.position_ids")
    return weights | {name: torch.tensor(7) for name in names[:4]} | {"attn_mask": torch.zeros(77, 77)}


def custom_text(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """open_clip's CustomTextCLIP: the text tower is a module of its own."""
    outside = ("visual.", "logit_scale")
    return {name if name.startswith(outside) else f"text.{name}": value for name, value in weights.items()}


def as_transformers(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """CLIPModel of transformers, by its published names."""
    named: dict[str, Tensor] = {"logit_scale": weights["logit_scale"]}
    named["text_projection.weight"] = weights["text_projection"].T
    named["visual_projection.weight"] = weights["visual.proj"].T
    named["vision_model.embeddings.class_embedding"] = weights["visual.class_embedding"]
    named["vision_model.embeddings.patch_embedding.weight"] = weights["visual.conv1.weight"]
    named["vision_model.embeddings.position_embedding.weight"] = weights["visual.positional_embedding"]
    named["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    named["text_model.embeddings.token_embedding.weight"] = weights["token_embedding.weight"]
    named["text_model.embeddings.position_embedding.weight"] = weights["positional_embedding"]
    named["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    for kind in ("weight", "bias"):
        named[f"vision_model.pre_layrnorm.{kind}"] = weights[f"visual.ln_pre.{kind}"]
        named[f"vision_model.post_layernorm.{kind}"] = weights[f"visual.ln_post.{kind}"]
        named[f"text_model.final_layer_norm.{kind}"] = weights[f"ln_final.{kind}"]
        for tower, root in (("vision_model", "visual."), ("text_model", "")):
            for layer in range(2):
                block, new = f"{root}transformer.resblocks.{layer}", f"{tower}.encoder.layers.{layer}"
                for part, value in zip("qkv", weights[f"{block}.attn.in_proj_{kind}"].chunk(3), strict=True):
                    named[f"{new}.self_attn.{part}_proj.{kind}"] = value
                named[f"{new}.self_attn.out_proj.{kind}"] = weights[f"{block}.attn.out_proj.{kind}"]
                named[f"{new}.layer_norm1.{kind}"] = weights[f"{block}.ln_1.{kind}"]
                named[f"{new}.layer_norm2.{kind}"] = weights[f"{block}.ln_2.{kind}"]
                named[f"{new}.mlp.fc1.{kind}"] = weights[f"{block}.mlp.c_fc.{kind}"]
                named[f"{new}.mlp.fc2.{kind}"] = weights[f"{block}.mlp.c_proj.{kind}"]
    return named


FORMS = {
    "open_clip": under(""),
    "clip.": under("clip."),
    "_orig_mod.": under("_orig_mod."),
    "module._orig_mod.": under("module._orig_mod."),
    "extras": with_extras,
    "a list of one scale": lambda weights: weights | {"logit_scale": weights["logit_scale"].reshape(1)},
    "custom text": custom_text,
    "compiled custom text": lambda weights: under("_orig_mod.")(custom_text(weights)),
    "transformers": as_transformers,
    "wrapped transformers": lambda weights: under("clip.")(as_transformers(weights)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_towers(form: str, weights: dict[str, Tensor]) -> None:
    model = make_tiny_clip(seed=1).clip
    assert isinstance(model, open_clip.CLIP)
    load_strict(model, open_clip_names(FORMS[form](weights), FILE), path=FILE)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_what_is_foreign_stays_and_is_refused_by_name(weights: dict[str, Tensor]) -> None:
    odd = open_clip_names(weights | {"projector.weight": torch.zeros(2)}, FILE)
    with pytest.raises(CheckpointError, match=r"has projector\.weight that the model does not know"):
        load_strict(make_tiny_clip().clip, odd, path=FILE)


@pytest.mark.parametrize("lost", ["q_proj", "k_proj", "v_proj"])
def test_a_transformers_file_without_one_of_query_key_value(lost: str, weights: dict[str, Tensor]) -> None:
    named = as_transformers(weights)
    del named[f"vision_model.encoder.layers.1.self_attn.{lost}.weight"]
    with pytest.raises(CheckpointError, match=f"lacks self_attn.{lost} of visual.transformer.resblocks.1"):
        open_clip_names(named, FILE)


def test_two_tensors_for_one_place(weights: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointError, match="holds logit_scale twice"):
        open_clip_names(weights | {"clip.logit_scale": torch.zeros(())}, FILE)

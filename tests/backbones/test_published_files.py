"""Weights files in the forms that are published, read into the model that they are of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from avion_core.backbones.architectures import filled_model, shape_of
from avion_core.backbones.checkpoint import read_checkpoint
from avion_core.errors import CheckpointError
from tests.clip_forms import FORMS, SIDE, make_clip

PIXELS = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


def written(folder: Path, weights: dict[str, Tensor], name: str = "model.safetensors") -> Path:
    save_file({key: value.contiguous().clone() for key, value in weights.items()}, folder / name)
    return folder / name


def tokens_of(form: str) -> Tensor:
    text = FORMS[form]["text_cfg"]
    ids = torch.randint(
        3, text["vocab_size"] - 2, (3, text["context_length"]), generator=torch.Generator().manual_seed(3)
    )
    ids[:, 9] = text["vocab_size"] - 1  # the highest id
    return ids


@pytest.mark.parametrize("form", FORMS)
def test_a_models_own_file_gives_the_model_again(form: str, tmp_path: Path) -> None:
    clip = make_clip(form)
    path = written(tmp_path, clip.state_dict())
    again = filled_model(FORMS[form], read_checkpoint(path), path=path, name=form).eval()
    assert not any(tensor.is_meta for tensor in [*again.parameters(), *again.buffers()])
    with torch.no_grad():
        torch.testing.assert_close(again.encode_image(PIXELS), clip.encode_image(PIXELS), atol=1e-6, rtol=0)
        torch.testing.assert_close(
            again.encode_text(tokens_of(form)), clip.encode_text(tokens_of(form)), atol=1e-6, rtol=0
        )


@pytest.mark.parametrize("form", FORMS)
def test_its_shape_is_known_without_weights(form: str) -> None:
    clip, shape = make_clip(form), shape_of(FORMS[form], form)
    assert shape.parameters == sum(parameter.numel() for parameter in clip.parameters())
    assert shape.dim == clip.encode_text(tokens_of(form)).shape[1]
    assert (shape.image_size, shape.text_blocks[2]) == (SIDE, FORMS[form]["text_cfg"]["context_length"])
    assert shape.visual_prompts == (form != "mobileclip2")


def test_long_clips_two_tables_of_positions_become_one(tmp_path: Path) -> None:
    """LongCLIP adds the first table under one mask and the second under another (its encode_text)."""
    clip = make_clip("long")
    first, later = torch.randn(248, 32), torch.randn(248, 32)
    weights = clip.state_dict() | {"positional_embedding": first, "positional_embedding_res": later}
    path = written(tmp_path, weights)
    read = filled_model(FORMS["long"], read_checkpoint(path), path=path, name="long").eval()
    mask = (torch.arange(248) < 20).float()[:, None]
    clip.positional_embedding.data = first * mask + later * (1 - mask)
    with torch.no_grad():
        torch.testing.assert_close(read.encode_text(tokens_of("long")), clip.encode_text(tokens_of("long")))


def as_transformers(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """SigLIP's tensors as transformers' SiglipModel names them."""
    renamed: dict[str, Tensor] = {}

    def attention(root: str, packed: Tensor, kind: str) -> None:
        for part, value in zip("qkv", packed.chunk(3), strict=True):
            renamed[f"{root}.self_attn.{part}_proj.{kind}"] = value

    count = len({name.split(".")[3] for name in weights if name.startswith("text.transformer.resblocks.")})
    for layer in range(count):
        image, text = f"vision_model.encoder.layers.{layer}", f"text_model.encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            own = f"visual.trunk.blocks.{layer}"
            attention(image, weights[f"{own}.attn.qkv.{kind}"], kind)
            for new, old in (("self_attn.out_proj", "attn.proj"), ("layer_norm1", "norm1"), ("layer_norm2", "norm2")):
                renamed[f"{image}.{new}.{kind}"] = weights[f"{own}.{old}.{kind}"]
            own = f"text.transformer.resblocks.{layer}"
            attention(text, weights[f"{own}.attn.in_proj_{kind}"], kind)
            for new, old in (("self_attn.out_proj", "attn.out_proj"), ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2")):
                renamed[f"{text}.{new}.{kind}"] = weights[f"{own}.{old}.{kind}"]
            for part, name in (("fc1", "c_fc"), ("fc2", "c_proj")):
                renamed[f"{image}.mlp.{part}.{kind}"] = weights[f"visual.trunk.blocks.{layer}.mlp.{part}.{kind}"]
                renamed[f"{text}.mlp.{part}.{kind}"] = weights[f"{own}.mlp.{name}.{kind}"]
    head, pool = "vision_model.head", "visual.trunk.attn_pool"
    renamed[f"{head}.probe"] = weights[f"{pool}.latent"]
    for kind in ("weight", "bias"):
        query, others = weights[f"{pool}.q.{kind}"], weights[f"{pool}.kv.{kind}"]
        renamed[f"{head}.attention.in_proj_{kind}"] = torch.cat([query, others])
        for new, old in (
            ("attention.out_proj", "proj"),
            ("layernorm", "norm"),
            ("mlp.fc1", "mlp.fc1"),
            ("mlp.fc2", "mlp.fc2"),
        ):
            renamed[f"{head}.{new}.{kind}"] = weights[f"{pool}.{old}.{kind}"]
        renamed[f"vision_model.post_layernorm.{kind}"] = weights[f"visual.trunk.norm.{kind}"]
        renamed[f"vision_model.embeddings.patch_embedding.{kind}"] = weights[f"visual.trunk.patch_embed.proj.{kind}"]
        renamed[f"text_model.final_layer_norm.{kind}"] = weights[f"text.ln_final.{kind}"]
        renamed[f"text_model.head.{kind}"] = weights[f"text.text_projection.{kind}"]
    renamed["vision_model.embeddings.position_embedding.weight"] = weights["visual.trunk.pos_embed"][0]
    renamed["text_model.embeddings.token_embedding.weight"] = weights["text.token_embedding.weight"]
    renamed["text_model.embeddings.position_embedding.weight"] = weights["text.positional_embedding"]
    return renamed | {name: weights[name].reshape(1) for name in ("logit_scale", "logit_bias")}


def plain_siglip_text(weights: dict[str, Tensor], ids: Tensor) -> Tensor:
    """SigLIP's text tower written from its tensors in transformers' names: all see all, read at the last place."""
    w = {name.removeprefix("text_model."): value for name, value in weights.items() if name.startswith("text_model.")}
    x = w["embeddings.token_embedding.weight"][ids] + w["embeddings.position_embedding.weight"]

    def linear(name: str, y: Tensor) -> Tensor:
        return y @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name: str, y: Tensor) -> Tensor:
        return F.layer_norm(y, y.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    for layer in range(3):
        root = f"encoder.layers.{layer}"
        y = norm(f"{root}.layer_norm1", x)
        q, k, v = (linear(f"{root}.self_attn.{part}_proj", y).view(*ids.shape, 2, 16).transpose(1, 2) for part in "qkv")
        attended = (q @ k.transpose(2, 3) / 4).softmax(-1) @ v
        x = x + linear(f"{root}.self_attn.out_proj", attended.transpose(1, 2).flatten(2))
        y = F.gelu(linear(f"{root}.mlp.fc1", norm(f"{root}.layer_norm2", x)), approximate="tanh")
        x = x + linear(f"{root}.mlp.fc2", y)
    return linear("head", norm("final_layer_norm", x)[:, -1])


def test_siglip_as_transformers_names_it(tmp_path: Path) -> None:
    """Git-RSCLIP's form."""
    clip = make_clip("siglip")
    weights = as_transformers(clip.state_dict())
    path = written(tmp_path, weights)
    read = filled_model(FORMS["siglip"], read_checkpoint(path), path=path, name="siglip").eval()
    assert read.logit_bias.item() == -10
    with torch.no_grad():
        torch.testing.assert_close(read.encode_image(PIXELS), clip.encode_image(PIXELS))
        ids = tokens_of("siglip")
        torch.testing.assert_close(read.encode_text(ids), plain_siglip_text(weights, ids), atol=1e-5, rtol=0)


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, make_clip("clip").state_dict())
    with pytest.raises(CheckpointError, match="wrong dimensions"):
        filled_model(FORMS["long"], read_checkpoint(path), path=path, name="long")
    lacking = as_transformers(make_clip("siglip").state_dict())
    del lacking["text_model.encoder.layers.1.self_attn.k_proj.bias"]
    path = written(tmp_path, lacking)
    with pytest.raises(
        CheckpointError, match=r"lacks the k_proj of text\.transformer\.resblocks\.1\.attn\.in_proj_bias"
    ):
        filled_model(FORMS["siglip"], read_checkpoint(path), path=path, name="siglip")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"multimodal_cfg": {}}, "it is a CoCa"),
        ({"text_cfg": {"hf_model_name": "roberta-base"}}, "its text tower is one of transformers"),
        ({"vision_cfg": {"image_size": 32, "timm_model_name": "no_such_tower"}}, "open_clip cannot build it"),
        ({"embed_dim": None}, "open_clip cannot build it"),
        ({"strange": 1}, "open_clip cannot build it"),
    ],
)
def test_a_description_that_cannot_be_used_says_why(change: dict[str, object], said: str) -> None:
    with pytest.raises(CheckpointError, match=rf"model cannot be used: {said}"):
        shape_of(FORMS["clip"] | change, "odd")
    without = {key: value for key, value in FORMS["clip"].items() if key != "text_cfg"}
    with pytest.raises(CheckpointError, match="lacks the text tower"):
        shape_of(without, "odd")

"""SigLIP's weights as Hugging Face's transformers name them, under the names of open_clip's CustomTextCLIP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from avion_core.errors import CheckpointError

_VISION = {
    "embeddings.patch_embedding": "patch_embed.proj",
    "embeddings.position_embedding.weight": "pos_embed",
    "post_layernorm": "norm",
    "head.probe": "attn_pool.latent",
    "head.attention.out_proj": "attn_pool.proj",
    "head.layernorm": "attn_pool.norm",
    "head.mlp": "attn_pool.mlp",
}
_TEXT = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final",
    "head": "text_projection",
}
_VISION_LAYER = {"layer_norm1": "norm1", "layer_norm2": "norm2", "self_attn.out_proj": "attn.proj", "mlp": "mlp"}
_TEXT_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)")
_ATTENTION = re.compile(r"self_attn\.([qkv])_proj\.(weight|bias)")


def is_siglip(names: Mapping[str, Tensor]) -> bool:
    """Whether these are SigLIP's, whose image tower ends in a pooling head."""
    return "vision_model.head.probe" in names


def from_siglip(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The same tensors for open_clip's model with timm's image tower; unknown names stay as they are.

    Raises:
        CheckpointError: a layer lacks its query, key or value.
    """
    renamed: dict[str, Tensor] = {}
    separate: dict[str, dict[str, Tensor]] = {}
    for name, value in weights.items():
        tower, _, rest = name.partition(".")
        if tower not in ("vision_model", "text_model"):
            renamed[name] = value
            continue
        sees = tower == "vision_model"
        root = "visual.trunk." if sees else "text."
        if layer := _LAYER.fullmatch(rest):
            block = (
                f"{root}blocks.{layer[1]}." if tower == "vision_model" else f"{root}transformer.resblocks.{layer[1]}."
            )
            if part := _ATTENTION.fullmatch(layer[2]):
                packed = f"attn.qkv.{part[2]}" if sees else f"attn.in_proj_{part[2]}"
                separate.setdefault(block + packed, {})[part[1]] = value
            else:
                renamed[block + _by(_VISION_LAYER if sees else _TEXT_LAYER, layer[2])] = value
        elif sees and rest.startswith("head.attention.in_proj_"):
            query, *others = value.chunk(3)
            kind = rest.removeprefix("head.attention.in_proj_")
            renamed[f"{root}attn_pool.q.{kind}"], renamed[f"{root}attn_pool.kv.{kind}"] = query, torch.cat(others)
        else:
            renamed[root + _by(_VISION if sees else _TEXT, rest)] = value
    for name, parts in separate.items():
        if missing := [part for part in "qkv" if part not in parts]:
            raise CheckpointError(
                f"the weights file lacks the {missing[0]}_proj of {name}", "Download the file again.", value=str(path)
            )
        renamed[name] = torch.cat([parts[part] for part in "qkv"])
    if "visual.trunk.pos_embed" in renamed:
        renamed["visual.trunk.pos_embed"] = renamed["visual.trunk.pos_embed"].unsqueeze(0)
    return {
        name: value.reshape(()) if name in ("logit_scale", "logit_bias") else value for name, value in renamed.items()
    }


def _by(table: Mapping[str, str], name: str) -> str:
    old = next((old for old in table if name == old or name.startswith(f"{old}.")), None)
    return name if old is None else table[old] + name.removeprefix(old)

"""The names that CLIP's weights go by elsewhere, turned into open_clip's.

Known: towers under `clip.`, compiled ones under `_orig_mod.`, a text tower under `text.` (open_clip's CustomTextCLIP),
the two position tables of LongCLIP, and the `text_model.` and `vision_model.` of Hugging Face's transformers
(`siglip_names` has SigLIP's). What the model does not need is left out: buffers that follow from the architecture, and
a bias beside a logit scale that was trained without one.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from pathlib import Path

import torch
from torch import Tensor

from avion_core.backbones.siglip_names import from_siglip, is_siglip
from avion_core.errors import CheckpointError

_PREFIXES = ("module.", "model.", "clip.", "_orig_mod.")
_NEEDLESS = re.compile(
    r"(.*\.)?(attn_mask|position_ids|input_resolution|context_length|vocab_size|logit_bias|num_batches_tracked)"
)
_TRANSFORMERS = ("text_model.", "vision_model.")
_OF_TOWER = {
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "pre_layrnorm": "ln_pre",  # transformers' own spelling
    "post_layernorm": "ln_post",
    "final_layer_norm": "ln_final",
}
_OF_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_QUERY_KEY_VALUE = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


LONG_CLIP_KEPT = 20
"""How many of LongCLIP's positions are CLIP's own (Zhang et al., ECCV 2024, arXiv 2403.15378, section 3.2)."""


def open_clip_names(weights: Mapping[str, Tensor], path: Path, wanted: Container[str] = ()) -> dict[str, Tensor]:
    """The same tensors under the names of open_clip's `CLIP` or `CustomTextCLIP`; unknown names stay as they are.

    Args:
        wanted: the names that the model has.

    Raises:
        CheckpointError: two tensors would have one name, or a layer lacks its query, key or value.
    """
    named: dict[str, Tensor] = {}
    for name, value in weights.items():
        while prefix := next((p for p in _PREFIXES if name.startswith(p)), None):
            name = name.removeprefix(prefix)
        if name == "logit_scale" and value.numel() == 1:
            value = value.reshape(())  # some keep it as a list of one
        if name in wanted or not _NEEDLESS.fullmatch(name):
            _put(named, name, value, path)
    if is_siglip(named):
        return from_siglip(named, path)
    if any(name.startswith(_TRANSFORMERS) for name in named):
        named = _from_transformers(named, path)
    renamed: dict[str, Tensor] = {}
    for name, value in named.items():
        name = name.removeprefix("text.")
        _put(renamed, f"text.{name}" if f"text.{name}" in wanted else name, value, path)
    return _one_position_table(renamed)


def _one_position_table(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """LongCLIP adds CLIP's first positions and its own later ones by two masks: the same as one table."""
    later = weights.pop("positional_embedding_res", None)
    if later is not None and (first := weights.get("positional_embedding")) is not None:
        weights["positional_embedding"] = torch.cat([first[:LONG_CLIP_KEPT], later[LONG_CLIP_KEPT:]])
    return weights


def _from_transformers(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    separate: dict[tuple[str, str], dict[str, Tensor]] = {}  # (layer's new name, weight or bias) -> q, k, v
    for name, value in weights.items():
        tower = next((prefix for prefix in _TRANSFORMERS if name.startswith(prefix)), "")
        root, rest = "visual." if tower == "vision_model." else "", name.removeprefix(tower)
        layer = _LAYER.fullmatch(rest) if tower else None
        if layer and layer[2] in _QUERY_KEY_VALUE:
            separate.setdefault((f"{root}transformer.resblocks.{layer[1]}", layer[3]), {})[layer[2]] = value
        elif layer:
            new = f"{root}transformer.resblocks.{layer[1]}.{_OF_LAYER.get(layer[2], layer[2])}.{layer[3]}"
            _put(renamed, new, value, path)
        elif name in ("visual_projection.weight", "text_projection.weight"):
            _put(renamed, "visual.proj" if name.startswith("visual") else "text_projection", value.T.contiguous(), path)
        else:
            old = next((old for old in _OF_TOWER if rest == old or rest.startswith(f"{old}.")), "")
            _put(renamed, root + (_OF_TOWER[old] + rest.removeprefix(old) if tower and old else rest), value, path)
    for (block, part), found in separate.items():
        if missing := [name for name in _QUERY_KEY_VALUE if name not in found]:
            raise CheckpointError(
                f"the weights file lacks {missing[0]} of {block}", "Download the file again.", value=str(path)
            )
        _put(renamed, f"{block}.attn.in_proj_{part}", torch.cat([found[name] for name in _QUERY_KEY_VALUE]), path)
    return renamed


def _put(renamed: dict[str, Tensor], name: str, value: Tensor, path: Path) -> None:
    if name in renamed:
        raise CheckpointError(f"the weights file holds {name} twice", "Keep one of the two.", value=str(path))
    renamed[name] = value

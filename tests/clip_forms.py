"""Small models of every published form of CLIP, with random weights: the same code as the large ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import open_clip
import timm.models.fastvit
import tokenizers
import torch
from timm.layers import LayerNorm
from timm.models import register_model
from timm.models.eva import Eva
from timm.models.fastvit import FastVit
from timm.models.vision_transformer import VisionTransformer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from torch import nn

from avion_core.backbones.tokenizing import FileTokenizer
from avion_core.backbones.towers import OpenClipTowers

SIDE = 32
WORDS = [
    "<pad>",
    "</s>",
    "<unk>",
    "a",
    "satellite",
    "photo",
    "of",
    "airport",
    "dense",
    "residential",
    "sea",
    "harbor",
    "x",
]


@register_model
def avion_test_siglip(**kwargs: Any) -> nn.Module:
    kwargs = {key: value for key, value in kwargs.items() if key in ("num_classes", "global_pool")}
    return VisionTransformer(
        img_size=SIDE, patch_size=8, embed_dim=32, depth=3, num_heads=2, class_token=False, **kwargs
    )


@register_model
def avion_test_pe(**kwargs: Any) -> nn.Module:
    kwargs = {key: value for key, value in kwargs.items() if key in ("num_classes", "global_pool")}
    shape = {"img_size": SIDE, "patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2, "attn_pool_num_heads": 4}
    rotary = {"attn_type": "rope", "use_rot_pos_emb": True, "ref_feat_shape": (4, 4), "rope_grid_offset": 1.0}
    norms = {"use_pre_transformer_norm": True, "norm_layer": LayerNorm, "rope_grid_indexing": "xy"}
    return Eva(**shape, **rotary, **norms, **kwargs)


@register_model
def avion_test_fastvit(**kwargs: Any) -> nn.Module:
    kwargs = {key: value for key, value in kwargs.items() if key in ("num_classes", "global_pool")}
    return FastVit(layers=(1, 1, 1, 1), embed_dims=(16, 16, 32, 32), mlp_ratios=(2, 2, 2, 2), **kwargs)


for name in ("siglip", "pe", "fastvit"):
    timm.models.fastvit.default_cfgs.setdefault(f"avion_test_{name}", timm.models.fastvit.default_cfgs["fastvit_t8"])

_VIT = {"image_size": SIDE, "layers": 3, "width": 48, "head_width": 16, "patch_size": 8}
_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3}


def _timm(name: str, pool: str) -> dict[str, Any]:
    return {"image_size": SIDE, "timm_model_name": f"avion_test_{name}", "timm_pool": pool, "timm_proj": None}


FORMS: dict[str, dict[str, Any]] = {
    "clip": {"embed_dim": 24, "vision_cfg": _VIT, "text_cfg": _TEXT},
    "quickgelu": {"embed_dim": 24, "quick_gelu": True, "vision_cfg": _VIT, "text_cfg": _TEXT},
    "long": {"embed_dim": 24, "quick_gelu": True, "vision_cfg": _VIT, "text_cfg": _TEXT | {"context_length": 248}},
    "pe": {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": _timm("pe", "map"),
        "text_cfg": _TEXT | {"context_length": 32},
    },
    "mobileclip2": {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": _timm("fastvit", "avg"),
        "text_cfg": _TEXT | {"no_causal_mask": True},
    },
    "siglip": {
        "embed_dim": 32,
        "custom_text": True,
        "init_logit_bias": -10,
        "init_logit_scale": 4.7,
        "vision_cfg": _timm("siglip", "map") | {"timm_proj": "none"},
        "text_cfg": {
            "context_length": 40,
            "vocab_size": len(WORDS),
            "width": 32,
            "heads": 2,
            "layers": 3,
            "hf_tokenizer_name": "timm/a-test",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 1e-6},
            "act_kwargs": {"approximate": "tanh"},
        },
    },
    "eos": {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": _VIT | {"pool_type": "avg"},
        "text_cfg": _TEXT | {"pool_type": "eos", "eos_id": 49407},
    },
    "attention pool": {
        "embed_dim": 24,
        "vision_cfg": _VIT | {"attentional_pool": True, "attn_pooler_heads": 2},
        "text_cfg": _TEXT,
    },
}
"""open_clip's description of each form."""


def tokenizer_file(folder: Path) -> Path:
    """A `tokenizer.json` as SigLIP's: words and an end, and its settings beside it."""
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", WORDS.index("</s>"))]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"pad_token": "</s>", "eos_token": "</s>"}', encoding="utf-8")
    return folder / "tokenizer.json"


def make_clip(form: str, seed: int = 0) -> Any:
    """A model of that form; its weights are spread widely enough that activation, mask and place show."""
    config = {key: value for key, value in FORMS[form].items() if key != "custom_text"}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        clip = (open_clip.CustomTextCLIP if FORMS[form].get("custom_text") else open_clip.CLIP)(**config).eval()
        for name, parameter in clip.named_parameters():
            if parameter.ndim in (2, 3) and "stem" not in name:
                parameter.data.normal_(std=0.15)
    return clip


@cache
def _siglip_tokenizer(folder: Path) -> FileTokenizer:
    return FileTokenizer(tokenizer_file(folder), 40, "canonicalize")


def make_towers(form: str, folder: Path, seed: int = 0) -> OpenClipTowers:
    """Its towers; the folder keeps SigLIP's tokenizer."""
    own = _siglip_tokenizer(folder) if form == "siglip" else None
    return OpenClipTowers(form, make_clip(form, seed), quick_gelu=bool(FORMS[form].get("quick_gelu")), tokenizer=own)

"""From open_clip's description of a model to the model itself, empty or with the tensors of a weights file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor, nn

from avion_core.backbones.catalog import DEMO_FILES, CatalogEntry
from avion_core.backbones.checkpoint import load_strict
from avion_core.backbones.clip_names import open_clip_names
from avion_core.backbones.image_side import image_side
from avion_core.backbones.text_side import text_side
from avion_core.errors import CheckpointError
from avion_core.reading import Subject, parse_json, read_json

_DESCRIPTION = Subject("the description of the model", CheckpointError)
_NOT_OURS = ("custom_text", "multimodal_cfg")
"""What a description says to open_clip's factory, not to the model."""


def architecture(entry: CatalogEntry, path: Path) -> dict[str, Any]:
    """open_clip's description of a model: embed_dim, vision_cfg and text_cfg. `path` is its installed weights file.

    Raises:
        CheckpointError: open_clip knows no model of that name.
    """
    if entry.name in DEMO_FILES:
        return read_json(need_beside(path, f"{entry.name}.json"), _DESCRIPTION)
    config = deepcopy(dict(entry.config)) if entry.config else open_clip.get_model_config(entry.architecture)
    if config is None:
        near = get_close_matches(entry.architecture, open_clip.list_models(), n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "It is one such as ViT-B-16 or ViT-B-32-quickgelu."
        raise CheckpointError("open_clip knows no such architecture", hint, value=entry.architecture)
    if entry.context_length:
        config["text_cfg"]["context_length"] = entry.context_length
    return config


def empty_model(config: Mapping[str, Any], name: str) -> Any:
    """A CLIP or CustomTextCLIP by its description, on the device of the context (meta: without numbers).

    Raises:
        CheckpointError: a description that open_clip cannot build, or of another family (CoCa, transformers' text
            towers).
    """
    if "multimodal_cfg" in config:
        raise _unfit("it is a CoCa, which also writes captions", name)
    if "text_cfg" not in config or "vision_cfg" not in config:
        raise _unfit("its description lacks the text tower or the image tower", name)
    if config["text_cfg"].get("hf_model_name"):
        raise _unfit("its text tower is one of transformers, which is not installed", name)
    vision = {**config["vision_cfg"], "timm_model_pretrained": False}  # a hub's weights would be fetched unasked
    said = {key: value for key, value in config.items() if key not in _NOT_OURS} | {"vision_cfg": vision}
    kind: Any = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    try:
        return kind(**said)
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError, ZeroDivisionError) as error:
        raise _unfit(
            f"open_clip cannot build it ({str(error).splitlines()[0] if str(error) else error!r})", name
        ) from error


def filled_model(config: Mapping[str, Any], weights: Mapping[str, Tensor], *, path: Path, name: str) -> Any:
    """The model of a description with these tensors.

    It is made on the meta device and takes the tensors as they are, so the peak of memory is the weights once, and a
    float32 file stays memory-mapped.

    Raises:
        CheckpointError: tensors for another model, or a description of another family.
    """
    with torch.device("meta"):
        clip = empty_model(config, name)
    load_strict(clip, open_clip_names(weights, path, clip.state_dict()), path=path)
    for module in clip.modules():
        _fill_buffers(module)
    return clip


def _fill_buffers(module: Any) -> None:
    """What is no weight but follows from the description: causal masks, and timm's rotations."""
    lacking = [name for name, buffer in module.named_buffers(recurse=False) if buffer.is_meta]
    for name in lacking:
        setattr(module, name, torch.empty_like(getattr(module, name), device="cpu"))
    if "attn_mask" in lacking:
        module.attn_mask.fill_(float("-inf")).triu_(1)
    elif lacking:
        module.init_non_persistent_buffers()


def beside(path: Path, name: str) -> Path | None:
    """A companion of a weights file: in the store under the file's own name, elsewhere under its own; None if none."""
    places = (path.with_name(f"{path.stem}.{name}"), path.with_name(name))
    return next((place for place in places if place.is_file()), None)


def need_beside(path: Path, name: str) -> Path:
    """A companion of a weights file.

    Raises:
        CheckpointError: it has none.
    """
    companion = beside(path, name)
    if companion is None:
        raise CheckpointError(
            f"the weights file lacks its companion {name}", "Put the two into one folder.", value=str(path)
        )
    return companion


def _as_wide(visual: nn.Module) -> int:
    """The width of one transformer block (12 w^2 numbers) that is as large as a whole tower."""
    return round((sum(parameter.numel() for parameter in visual.parameters()) / 12) ** 0.5)


def _unfit(what: str, name: str) -> CheckpointError:
    hint = "Use a CLIP whose text tower is open_clip's own transformer, such as ViT-B-32-quickgelu."
    return CheckpointError(f"this model cannot be used: {what}", hint, value=name)


@dataclass(frozen=True)
class Shape:
    """What a model is by its description, without weights."""

    parameters: int
    dim: int
    image_size: int
    visual_prompts: bool
    image_blocks: tuple[int, int, int]
    """Layers, width and tokens of the image tower; where it is convolutional, of one as large."""
    text_blocks: tuple[int, int, int]
    """Layers, width and tokens of the text tower."""
    causal: bool


def described(
    known: str, config: Mapping[str, Any] | None, context_length: int | None, quick_gelu: bool | None, name: str
) -> tuple[dict[str, Any], Shape]:
    """A model's full description and shape, by open_clip's name of it or by a description of one's own.

    Raises:
        CheckpointError: open_clip knows no such architecture, or the model cannot be used.
    """
    entry = CatalogEntry(
        name, name, "open_clip", known, None, None, 0, 0, False, 0, 0, "", "",
        config=config, context_length=context_length,
    )  # fmt: skip
    full = architecture(entry, Path())
    if quick_gelu is not None:
        full["quick_gelu"] = quick_gelu
    return full, shape_of(full, name)


def model_shape(entry: CatalogEntry, path: Path) -> Shape:
    """The shape of a model of the catalog. `path` is its installed weights file.

    Raises:
        CheckpointError: it cannot be used.
    """
    return shape_of(architecture(entry, path), entry.name)


def shape_of(config: Mapping[str, Any], name: str) -> Shape:
    """What a description makes, found by building it without numbers.

    Raises:
        CheckpointError: it cannot be used.
    """
    return _shape(json.dumps(config, sort_keys=True), name)


@lru_cache(maxsize=32)
def _shape(description: str, name: str) -> Shape:
    """Kept, since it takes up to half a second."""
    with torch.device("meta"):
        clip = empty_model(parse_json(description, _DESCRIPTION), name)
    image, text = image_side(clip.visual), text_side(clip, name)
    size = clip.visual.image_size
    side = size if isinstance(size, int) else size[0]
    tokens = image.prefix + (side // image.patch) ** 2 if image.patch else 0
    return Shape(
        parameters=sum(parameter.numel() for parameter in clip.parameters()),
        dim=text.dim,
        image_size=side,
        visual_prompts=image.takes_prompts,
        # As much work as a convolutional tower's numbers make, each used about once a token of a last 8 x 8 map.
        image_blocks=(len(image.blocks), image.width, tokens) if image.blocks else (1, _as_wide(clip.visual), 64),
        text_blocks=(len(text.blocks), text.width, text.context_length),
        causal=text.causal,
    )

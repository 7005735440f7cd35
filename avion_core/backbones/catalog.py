"""The pairs of towers that the project knows: where their weights are, and what no checkpoint says of itself.

Sizes and licences as the hub's file lists and cards gave them; `quick_gelu` is the activation of the training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from avion_core.errors import NotFoundError


@dataclass(frozen=True)
class CatalogEntry:
    """One pair of towers."""

    name: str
    title: str
    kind: Literal["open_clip", "demo_teacher", "given"]
    architecture: str
    """open_clip's name of the model, or the name of the demo's own description."""
    hub_repo: str | None
    """Repository on the Hugging Face hub; None for what comes with this package."""
    hub_file: str | None
    dim: int
    image_size: int
    quick_gelu: bool
    parameters: int
    size_bytes: int
    """Of the weights file, to about one percent."""
    licence: str
    source: str


_GEORSCLIP_LICENCE = 'Creative Commons (the hub card says "cc", without a version)'
_GEORSCLIP_SOURCE = "Zhang et al., RS5M and GeoRSCLIP, https://huggingface.co/Zilun/GeoRSCLIP"
_REMOTECLIP_LICENCE = "none stated on the hub; ask the authors before other than research use"
_REMOTECLIP_SOURCE = "Liu et al., RemoteCLIP, https://huggingface.co/chendelong/RemoteCLIP"
_DEMO_SOURCE = "trained by tools/pretrain_demo.py; see demo/weights for its model card"
_DEMO_LICENCE = "see the model card: trained in part on academic-use image sets"

_ENTRIES = (
    CatalogEntry(
        name="georsclip-vit-b-32",
        title="GeoRSCLIP ViT-B/32",
        kind="open_clip",
        architecture="ViT-B-32-quickgelu",
        hub_repo="Zilun/GeoRSCLIP",
        hub_file="ckpt/RS5M_ViT-B-32.pt",
        dim=512,
        image_size=224,
        quick_gelu=True,
        parameters=151_277_313,
        size_bytes=605_000_000,
        licence=_GEORSCLIP_LICENCE,
        source=_GEORSCLIP_SOURCE,
    ),
    CatalogEntry(
        name="georsclip-vit-h-14",
        title="GeoRSCLIP ViT-H/14",
        kind="open_clip",
        architecture="ViT-H-14",
        hub_repo="Zilun/GeoRSCLIP",
        hub_file="ckpt/RS5M_ViT-H-14.pt",
        dim=1024,
        image_size=224,
        quick_gelu=False,
        parameters=986_109_441,
        size_bytes=3_940_000_000,
        licence=_GEORSCLIP_LICENCE,
        source=_GEORSCLIP_SOURCE,
    ),
    CatalogEntry(
        name="remoteclip-vit-b-32",
        title="RemoteCLIP ViT-B/32",
        kind="open_clip",
        architecture="ViT-B-32-quickgelu",
        hub_repo="chendelong/RemoteCLIP",
        hub_file="RemoteCLIP-ViT-B-32.pt",
        dim=512,
        image_size=224,
        quick_gelu=True,
        parameters=151_277_313,
        size_bytes=605_000_000,
        licence=_REMOTECLIP_LICENCE,
        source=_REMOTECLIP_SOURCE,
    ),
    CatalogEntry(
        name="remoteclip-vit-l-14",
        title="RemoteCLIP ViT-L/14",
        kind="open_clip",
        architecture="ViT-L-14-quickgelu",
        hub_repo="chendelong/RemoteCLIP",
        hub_file="RemoteCLIP-ViT-L-14.pt",
        dim=768,
        image_size=224,
        quick_gelu=True,
        parameters=427_616_513,
        size_bytes=1_710_000_000,
        licence=_REMOTECLIP_LICENCE,
        source=_REMOTECLIP_SOURCE,
    ),
    CatalogEntry(
        name="openai-vit-b-32",
        title="OpenAI CLIP ViT-B/32",
        kind="open_clip",
        architecture="ViT-B-32-quickgelu",
        hub_repo="timm/vit_base_patch32_clip_224.openai",
        hub_file="open_clip_model.safetensors",
        dim=512,
        image_size=224,
        quick_gelu=True,
        parameters=151_277_313,
        size_bytes=605_000_000,
        licence="MIT (OpenAI's repository; the hub card of this copy says Apache-2.0)",
        source="Radford et al., CLIP, https://huggingface.co/timm/vit_base_patch32_clip_224.openai",
    ),
    CatalogEntry(
        name="demo-teacher",
        title="Demo teacher (EfficientNet-Lite0 + MiniLM)",
        kind="demo_teacher",
        architecture="demo-teacher",
        hub_repo=None,
        hub_file=None,
        dim=384,
        image_size=224,
        quick_gelu=False,
        parameters=26_937_089,
        size_bytes=54_000_000,
        licence=_DEMO_LICENCE,
        source=_DEMO_SOURCE,
    ),
    CatalogEntry(
        name="demo-student",
        title="Demo student (ViT 12 x 192 at 128 px)",
        kind="open_clip",
        architecture="demo-student",
        hub_repo=None,
        hub_file=None,
        dim=256,
        image_size=128,
        quick_gelu=False,
        parameters=17_700_000,
        size_bytes=36_000_000,
        licence=_DEMO_LICENCE,
        source=_DEMO_SOURCE,
    ),
)

_GIVEN = re.compile(r"given-[0-9a-f]{16}")
_GIVEN_ENTRY = CatalogEntry(
    name="given",
    title="Given features",
    kind="given",
    architecture="",
    hub_repo=None,
    hub_file=None,
    dim=0,
    image_size=0,
    quick_gelu=False,
    parameters=0,
    size_bytes=0,
    licence="that of the model and the images they were made of",
    source="a file of embeddings",
)

CATALOG: dict[str, CatalogEntry] = {entry.name: entry for entry in _ENTRIES}


def is_given(name: str) -> bool:
    """Whether a name in settings stands for embeddings that were given, with no model behind them."""
    return _GIVEN.fullmatch(name) is not None


def find_entry(name: str) -> CatalogEntry:
    """The entry of that name; embeddings that were given have one made for them.

    Raises:
        NotFoundError: there is none.
    """
    if is_given(name):
        return replace(_GIVEN_ENTRY, name=name)
    if name not in CATALOG:
        raise NotFoundError("the catalog has no such model", f"Choose one of: {', '.join(CATALOG)}.", value=name)
    return CATALOG[name]


def known_entry(name: str) -> CatalogEntry | None:
    """As `find_entry`; None where there is none."""
    return find_entry(name) if name in CATALOG or is_given(name) else None


def downloadable(name: str) -> CatalogEntry:
    """An entry whose weights are not part of the package: they are downloaded, added and removed.

    Raises:
        NotFoundError: the catalog has no such name, or its weights come with the package.
    """
    entry = find_entry(name)
    if entry.hub_repo is None:
        hint = "They are always installed: nothing to download, add or remove."
        raise NotFoundError("these weights come with the package", hint, value=name)
    return entry

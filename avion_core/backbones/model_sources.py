"""Where an entry of one's own comes from: open_clip's list, a repository of the hub, or a folder."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import open_clip
from huggingface_hub import HfApi, hf_hub_url
from open_clip.pretrained import get_pretrained_cfg
from pydantic import BaseModel, ConfigDict

from avion_core.backbones.own_models import OwnModel
from avion_core.backbones.preprocessing import Preprocessing
from avion_core.backbones.unpacking import weights_in
from avion_core.downloads import fetch, reason_of
from avion_core.errors import AvionError, CheckpointError, ConfigError, NotFoundError
from avion_core.reading import Subject, fitted, read_json

HUB = "hf-hub:"
DESCRIPTION = "open_clip_config.json"
NOT_STATED = "not stated; ask its authors"
_SUBJECT = Subject(f"the model's {DESCRIPTION}", CheckpointError, "docs/add-a-model.md says what an entry needs.")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_WEIGHTS = ("open_clip_model.safetensors", "model.safetensors", "open_clip_pytorch_model.bin")


class _Description(BaseModel):
    """An `open_clip_config.json`."""

    model_config = ConfigDict(extra="ignore")

    model_cfg: dict[str, Any]
    preprocess_cfg: Preprocessing = Preprocessing()


def from_folder(folder: Path, licence: str) -> tuple[OwnModel, Path]:
    """The entry of a folder with an `open_clip_config.json`, and its weights file.

    Raises:
        CheckpointError: one of the two lacks, or is not what it should be.
    """
    said = _described(folder / DESCRIPTION)
    source = f"the folder {folder.name}"
    return _entry(said, licence=licence or NOT_STATED, source=source), weights_in(folder)


def from_hub(repository: str, licence: str, endpoint: str | None = None) -> OwnModel:
    """The entry of a repository of the hub that open_clip can read; asks the hub.

    Raises:
        ConfigError: no name of a repository.
        CheckpointError: the hub cannot be reached, or the repository lacks description or weights.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError("a repository of the hub has the form hf-hub:ORG/NAME", "Check the name.", value=repository)
    try:
        info = HfApi(endpoint=endpoint).model_info(repository, timeout=20)
        files = {file.rfilename for file in info.siblings or ()}
        with TemporaryDirectory(prefix="avion-model-") as folder:
            url = hf_hub_url(repository, DESCRIPTION, endpoint=endpoint)
            path, _ = fetch(url, Path(folder), repository, None, Event()) if DESCRIPTION in files else (None, "")
            said = _described(path) if path else None
    except AvionError:
        raise
    except Exception as error:  # the hub's client and its HTTP library have no common base
        hint = "Check name and connection, or write the entry by hand (docs/add-a-model.md)."
        raise CheckpointError(f"the hub was asked in vain ({reason_of(error)})", hint, value=repository) from error
    if said is None:
        hint = "Name a repository that open_clip can read, or write the entry by hand (docs/add-a-model.md)."
        raise CheckpointError(f"the repository holds no {DESCRIPTION}", hint, value=repository)
    weights = next((name for name in _WEIGHTS if name in files), "")
    if not weights:
        hint = f"It is one of {', '.join(_WEIGHTS)}."
        raise CheckpointError("the repository holds no weights file that is known", hint, value=repository)
    stated = getattr(info.card_data, "license", None)
    of_card = f"{stated} (by the hub's card)" if stated else NOT_STATED
    found = _entry(said, licence=licence or of_card, source=f"https://huggingface.co/{repository}")
    return found.model_copy(update={"hub": repository, "file": weights})


def from_open_clip(known: str, licence: str) -> OwnModel:
    """The entry of one of open_clip's architectures, alone or with a tag of its pretrained weights: NAME or NAME:TAG.

    Raises:
        NotFoundError: open_clip has no such name, or no such tag of it.
    """
    architecture, _, tag = known.partition(":")
    names = open_clip.list_models()
    if architecture not in names:
        near = get_close_matches(architecture, names, n=3, cutoff=0.5)
        hint = (
            f"Did you mean {' or '.join(near)}?" if near else "Name one such as ViT-B-16, hf-hub:ORG/NAME or a folder."
        )
        raise NotFoundError("this is no architecture of open_clip, no repository and no folder", hint, value=known)
    if not tag:
        return OwnModel(architecture=architecture, licence=licence or NOT_STATED, source="added by hand")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    cfg = get_pretrained_cfg(architecture, tag)
    if not cfg:
        hint = f"It has: {', '.join(tags)}." if tags else "It has none: enter the architecture alone and add a file."
        raise NotFoundError(f"open_clip has no such weights of {architecture}", hint, value=tag)
    repository = str(cfg.get("hf_hub") or "").strip("/")
    if not _REPOSITORY.fullmatch(repository):
        hint = f"Enter {architecture} alone, and add the file."
        raise NotFoundError("these weights are on no hub", hint, value=known)
    chosen = {key: cfg[key] for key in ("mean", "std", "interpolation", "resize_mode") if cfg.get(key)}
    return OwnModel(
        architecture=architecture,
        quick_gelu=True if cfg.get("quick_gelu") else None,
        preprocessing=fitted(Preprocessing, chosen, _SUBJECT),
        hub=repository,
        file=_WEIGHTS[0],
        licence=licence or f"that of https://huggingface.co/{repository}; read its card",
        source=f"open_clip's {known}, https://huggingface.co/{repository}",
    )


def _described(path: Path) -> _Description:
    return fitted(_Description, read_json(path, _SUBJECT), _SUBJECT)


def _entry(said: _Description, *, licence: str, source: str) -> OwnModel:
    return OwnModel(config=said.model_cfg, preprocessing=said.preprocess_cfg, licence=licence, source=source)

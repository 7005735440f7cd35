"""A home's models file: models of one's own, beside the package's, one entry each (docs/add-a-model.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from avion_core.backbones.catalog import Catalog, CatalogEntry, is_given
from avion_core.backbones.entries import ENTRIES
from avion_core.backbones.preprocessing import Preprocessing
from avion_core.errors import ConfigError
from avion_core.files import replacing
from avion_core.reading import Subject, fitted, read_yaml

FILE = "models.yaml"
_SUBJECT = Subject(f"the models file ({FILE})", ConfigError, "docs/add-a-model.md has its form.")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


class OwnModel(BaseModel):
    """One entry; all but `licence` and the architecture may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = ""
    """As pages show it; its name by default."""
    architecture: str = ""
    """open_clip's name of it, such as ViT-B-16-quickgelu."""
    config: dict[str, JsonValue] | None = None
    """open_clip's description instead (the `model_cfg` of an `open_clip_config.json`)."""
    context_length: int | None = Field(default=None, ge=4, le=4096)
    """Tokens of a text, where they are not the architecture's."""
    quick_gelu: bool | None = None
    """The activation of the training, where it is not the architecture's."""
    preprocessing: Preprocessing = Preprocessing()
    """mean, std, interpolation and resize_mode of its images; OpenAI's by default."""
    hub: str = Field(default="", pattern=r"^$|^[\w.-]+/[\w.-]+$")
    """Repository on the Hugging Face hub, ORG/NAME."""
    file: str = ""
    """The weights file in it."""
    revision: str = "main"
    """Of the hub's repository."""
    address: str = Field(default="", pattern=r"^$|^https://\S+$")
    """Of a weights file, or a zip archive with one, that is not on the hub."""
    tokenizer: str = Field(default="", pattern=r"^$|^[\w.-]+/[\w.-]+$")
    """The hub's repository with the tokenizer.json, for towers that do not read by CLIP's byte pairs."""
    licence: str = Field(min_length=1)
    """Of the weights: shown before a download, and kept with every run."""
    source: str = ""
    """Who made it, and where it is described."""
    warning: str = ""
    """What to know before results with it are compared."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    models: dict[str, OwnModel] = {}


class OwnModels(Catalog):
    """The package's models, and those of a models file, which is read again when it changes.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, int] | None, Mapping[str, CatalogEntry]] = None, ENTRIES

    @property
    def entries(self) -> Mapping[str, CatalogEntry]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """All of them.

        Raises:
            ConfigError: the file is not what it should be; the entry is named.
        """
        try:
            found = self.path.stat()
        except OSError:
            return ENTRIES
        stamp = found.st_mtime_ns, found.st_size
        if self._read[0] != stamp:
            self._read = stamp, ENTRIES | {name: own_entry(name, model) for name, model in self.own().items()}
        return self._read[1]

    def own(self) -> dict[str, OwnModel]:
        """What the file holds; empty where there is none.

        Raises:
            ConfigError: it is not what it should be.
        """
        if not self.path.exists():
            return {}
        held = read_yaml(self.path, _SUBJECT)
        models = fitted(_File, {} if held is None else held, _SUBJECT).models
        for name in models:
            refuse_name(name)
        return models

    def enter(self, name: str, model: OwnModel) -> CatalogEntry:
        """Write an entry, in the place of one of the same name; returns it as the catalog has it.

        Raises:
            ConfigError: a name that cannot be used, or a model that cannot be.
        """
        refuse_name(name)
        entry = own_entry(name, model)
        self._write({**self.own(), name: model})
        return entry

    def forget(self, name: str) -> None:
        """Take an entry out of the file."""
        self._write({kept: model for kept, model in self.own().items() if kept != name})

    def _write(self, models: Mapping[str, OwnModel]) -> None:
        said = {name: _written(model) for name, model in models.items()}
        text = "# Models of one's own; docs/add-a-model.md has the form.\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as unfinished:
            unfinished.write_text(text + yaml.safe_dump({"models": said}, sort_keys=False, allow_unicode=True), "utf-8")


def refuse_name(name: str) -> None:
    """See that a model of one's own may have this name.

    Raises:
        ConfigError: it is the package's, or not of small letters, digits, dots and hyphens.
    """
    if name in ENTRIES or is_given(name):
        raise ConfigError("the package has a model of that name", "Choose another name.", value=name)
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "a model's name has small letters, digits, dots, hyphens and underscores",
            "Choose another name.",
            value=name,
        )


def own_entry(name: str, model: OwnModel) -> CatalogEntry:
    """The catalog's form of an entry; its sizes are found by building the model without numbers.

    Raises:
        ConfigError: neither or both of architecture and config. CheckpointError: a model that cannot be used.
    """
    if bool(model.architecture) == bool(model.config):
        said = "an entry of the models file says either architecture or config"
        raise ConfigError(said, "Give one of the two.", value=name)
    from avion_core.backbones.architectures import described

    config, shape = described(model.architecture, model.config, model.context_length, model.quick_gelu, name)
    return CatalogEntry(
        name=name,
        title=model.title or name,
        kind="open_clip",
        architecture=model.architecture,
        hub_repo=model.hub or None,
        hub_file=model.file or None,
        dim=shape.dim,
        image_size=shape.image_size,
        quick_gelu=bool(config.get("quick_gelu", False)),
        parameters=shape.parameters,
        size_bytes=0,
        licence=model.licence,
        source=model.source or (f"https://huggingface.co/{model.hub}" if model.hub else "not stated"),
        revision=model.revision,
        address=model.address,
        config=config,
        preprocessing=model.preprocessing,
        tokenizer_repo=model.tokenizer or _tokenizer_of(config),
        visual_prompts=shape.visual_prompts,
        warning=model.warning,
        own=True,
    )


def _tokenizer_of(config: Mapping[str, Any]) -> str:
    return str(config["text_cfg"].get("hf_tokenizer_name") or "")


def _written(model: OwnModel) -> dict[str, Any]:
    said = model.model_dump(exclude_defaults=True, exclude={"preprocessing"})
    if model.preprocessing != Preprocessing():
        views = asdict(model.preprocessing)
        said["preprocessing"] = {
            key: list(value) if isinstance(value, tuple) else value for key, value in views.items()
        }
    return said

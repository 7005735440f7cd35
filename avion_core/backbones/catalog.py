"""The models that the project knows: where their weights are, and what no checkpoint says of itself.

Sizes and licences as the hub's file lists and cards gave them; where nobody could say, the field says so. `entries` has
the list; `own_models` adds those of a home's models file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from avion_core.backbones.preprocessing import Preprocessing
from avion_core.errors import NotFoundError

DEMO_FILES = {"demo-teacher": "demo-teacher-image.safetensors", "demo-student": "demo-student.safetensors"}
"""The weights files that come with the package."""


@dataclass(frozen=True)
class CatalogEntry:
    """One pair of towers."""

    name: str
    title: str
    kind: Literal["open_clip", "demo_teacher", "given", "ensemble"]
    architecture: str
    """open_clip's name of the model, or the name of the demo's own description."""
    hub_repo: str | None
    """Repository on the Hugging Face hub; None for what is not on the hub."""
    hub_file: str | None
    """None where nobody could say under which name the repository has it: a local file is added then."""
    dim: int
    image_size: int
    quick_gelu: bool
    parameters: int
    size_bytes: int
    """Of the weights file, to about one percent; 0 where it is not known."""
    licence: str
    source: str
    revision: str = "main"
    """Of the hub's repository."""
    address: str = ""
    """Of a weights file, or a zip archive with one, that is not on the hub."""
    config: Mapping[str, Any] | None = field(default=None, hash=False)
    """open_clip's description (`model_cfg`), where it knows no architecture of that name."""
    context_length: int | None = None
    """Tokens of a text, where they are not the architecture's."""
    preprocessing: Preprocessing = Preprocessing()  # noqa: RUF009 - frozen
    tokenizer_repo: str = ""
    """The hub's repository with the `tokenizer.json` of towers that do not read by CLIP's byte pairs."""
    visual_prompts: bool = True
    """Whether the image tower has tokens for prompts to stand beside; convolutional ones have none."""
    warning: str = ""
    """What to know before results with it are compared."""
    own: bool = False
    """Of the home's models file, not of the package."""

    @property
    def bundled(self) -> bool:
        """Its weights come with the package."""
        return self.name in DEMO_FILES

    @property
    def origin(self) -> str:
        """Where a download comes from, in words; empty where there is none."""
        if self.address:
            return self.address
        return f"{self.hub_repo}/{self.hub_file}" if self.hub_repo and self.hub_file else ""


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


def is_given(name: str) -> bool:
    """Whether a name in settings stands for embeddings that were given, with no model behind them."""
    return _GIVEN.fullmatch(name) is not None


JOINED = "+"
"""Stands between the names of an ensemble's members."""


def _ensemble(name: str, members: list[CatalogEntry]) -> CatalogEntry:
    """Several teachers as one; of their facts the sum, or each."""
    if any(member.kind == "given" for member in members) or len({member.name for member in members}) < len(members):
        hint = "Join different models of the catalog, as in farslip-vit-b-32+skyclip-vit-l-14."
        raise NotFoundError("these models cannot be joined to an ensemble", hint, value=name)
    return replace(
        members[0],
        name=name,
        title=" + ".join(member.title for member in members),
        kind="ensemble",
        architecture="",
        hub_repo=None,
        hub_file=None,
        address="",
        dim=sum(member.dim for member in members),
        parameters=sum(member.parameters for member in members),
        size_bytes=sum(member.size_bytes for member in members),
        licence="; ".join(dict.fromkeys(member.licence for member in members)),
        source="; ".join(dict.fromkeys(member.source for member in members)),
        warning=" ".join(dict.fromkeys(member.warning for member in members if member.warning)),
    )


class Catalog:
    """Entries by name, in their order."""

    def __init__(self, entries: Mapping[str, CatalogEntry]) -> None:
        self.entries = entries

    def find(self, name: str) -> CatalogEntry:
        """The entry of that name; embeddings that were given have one made for them.

        Raises:
            NotFoundError: there is none.
        """
        if is_given(name):
            return replace(_GIVEN_ENTRY, name=name)
        if JOINED in name:
            return _ensemble(name, self.members(name))
        if name not in self.entries:
            near = difflib.get_close_matches(name, self.entries, n=3)
            hint = f"Choose one of: {', '.join(near or self.entries)}."
            if name.startswith("hf-hub:") or "/" in name:
                hint = f"Enter it first: `avion models enter {name}`."
            raise NotFoundError("the catalog has no such model", hint, value=name)
        return self.entries[name]

    def known(self, name: str) -> CatalogEntry | None:
        """As `find`; None where there is none."""
        try:
            return self.find(name)
        except NotFoundError:
            return None

    def members(self, name: str) -> list[CatalogEntry]:
        """The models that a name stands for: one, or those of an ensemble.

        Raises:
            NotFoundError: the catalog lacks one of them.
        """
        return [self.find(member) for member in name.split(JOINED)]

    def downloadable(self, name: str) -> CatalogEntry:
        """An entry whose weights are not part of the package: they are downloaded, added and removed.

        Raises:
            NotFoundError: the catalog has no such name, or its weights come with the package.
        """
        entry = self.find(name)
        if entry.kind == "ensemble":
            hint = f"Install {' and '.join(name.split(JOINED))}, each for itself."
            raise NotFoundError("an ensemble has no weights of its own", hint, value=name)
        if entry.bundled or entry.kind == "given":
            hint = "They are always installed: nothing to download, add or remove."
            raise NotFoundError("these weights come with the package", hint, value=name)
        return entry

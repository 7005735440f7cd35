"""Models of one's own: any CLIP becomes one of the catalog's by one entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from avion_core.errors import AvionError, NotFoundError
from avion_core.store.home import Home
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case


@dataclass(frozen=True)
class Entered:
    """A model that the catalog has from now on."""

    name: str
    title: str
    licence: str
    warning: str
    origin: str
    """Where its download comes from, or empty."""
    weights: Path | None
    """The file to install, where it came from a folder."""


@use_case
def enter_model(home: Home, source: str, *, name: str = "", title: str = "", licence: str = "") -> Entered:
    """Put a model into the home's models file; its weights are installed afterwards, like those of any.

    Args:
        source: an architecture of open_clip (ViT-B-16), one with a tag of its weights (ViT-B-16:openai), a repository
            (hf-hub:ORG/NAME), or a folder with an `open_clip_config.json` and weights.
        name: in the catalog; made from the source by default. An entry of one's own of that name is replaced.
        licence: of the weights; what the hub's card says by default.

    Raises:
        NotFoundError: nothing of that name. ConfigError: a name that cannot be used.
        CheckpointError: the hub cannot be reached, or the model cannot be used.
        RightsError: a folder that is not theirs to name.
    """
    from avion_core.backbones import model_sources

    weights = None
    if source.startswith(model_sources.HUB):
        model = model_sources.from_hub(source.removeprefix(model_sources.HUB), licence, home.weights.endpoint)
    elif "/" in source or Path(source).is_dir():
        folder = nameable(home.actor, Path(source))
        if not folder.is_dir():
            hint = "Name a folder that exists, an architecture of open_clip, or hf-hub:ORG/NAME."
            raise NotFoundError("there is no such folder", hint, value=source)
        model, weights = model_sources.from_folder(folder, licence)
    else:
        model = model_sources.from_open_clip(source, licence)
    entry = home.models.enter(
        name or suggested_name(source), model.model_copy(update={"title": title} if title else {})
    )
    return Entered(entry.name, entry.title, entry.licence, entry.warning, entry.origin, weights)


@use_case
def forget_model(home: Home, name: str) -> int:
    """Take a model of one's own out of the catalog, and its weights away; returns the bytes that are free again.

    Raises:
        NotFoundError: it is not one of the home's own.
    """
    if not home.models.find(name).own:
        hint = "Only models of your own can be taken out."
        raise NotFoundError("this model comes with the package", hint, value=name)
    try:
        freed = home.weights.remove(name)
    except AvionError:
        freed = 0
    home.models.forget(name)
    return freed


def suggested_name(source: str) -> str:
    """A name for the catalog: the last part of a source, in small letters."""
    last = source.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^a-z0-9._-]+", "-", last.lower()).strip("-._") or "my-model"

"""Towers opened once per process, and the catalog of weights with what of it is installed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from avion_core.errors import AvionError
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case

if TYPE_CHECKING:
    from avion_core.backbones.catalog import CatalogEntry
    from avion_core.backbones.towers import Towers


@use_case
def open_towers(home: Home, name: str) -> Towers:
    """The towers of a catalog name, on the GPU where there is one.

    Raises:
        NotFoundError: no such name, or its weights are not installed.
        CheckpointError: the weights file is not what it should be.
    """
    from avion_core.backbones.ensemble import EnsembleTowers

    opened = [_open(entry, home.weights.need(entry.name)) for entry in home.models.members(name)]
    return opened[0] if len(opened) == 1 else EnsembleTowers(name, opened)


@lru_cache(maxsize=2)
def _open(entry: CatalogEntry, path: Path) -> Towers:
    """Weights that were exchanged lie in a file of another name, so they are opened anew."""
    import torch

    from avion_core.backbones.load import build_towers

    return build_towers(entry, path, device="cuda" if torch.cuda.is_available() else "cpu")


PAIRS = (("georsclip-vit-h-14", "georsclip-vit-b-32"), ("demo-teacher", "demo-student"))
"""Teachers with their students, the best first."""


@use_case
def usable_pair(home: Home) -> tuple[tuple[str, str], str]:
    """The best pair of models that is installed, and what to say where a better one is not; the best where none is."""

    def lacking(pair: tuple[str, str]) -> list[str]:
        return [name for name in pair if not _is_usable(home, name)]

    best = PAIRS[0]
    if not (missing := lacking(best)):
        return best, ""
    usable = next((pair for pair in PAIRS[1:] if not lacking(pair)), best)
    titles = " and ".join(home.models.find(name).title for name in missing)
    get = " and ".join(f"`avion models download {name}`" for name in missing)
    why = f"Better, but not installed here: {titles}. Get them by {get}, or on the page Models."
    return usable, why


def _is_usable(home: Home, name: str) -> bool:
    try:
        return home.weights.path(name) is not None
    except AvionError:
        return False


@dataclass(frozen=True)
class Model:
    """One pair of towers of the catalog, and what of it is on this machine."""

    name: str
    title: str
    installed: bool
    bundled: bool
    """Comes with the package: there is nothing to download, add or remove."""
    size_bytes: int
    """Of the installed file, else of the hub's, to about one percent; 0 where it is not known."""
    partial_bytes: int
    """What a download left that did not come to its end."""
    dim: int
    image_size: int
    parameters: int
    activation: str
    takes_prompts: bool
    """Can be a student."""
    licence: str
    source: str
    hub: str
    """Where a download comes from: REPOSITORY/FILE on the hub, or an address; empty where nobody could say."""
    warning: str
    """What to know before results with it are compared, or empty."""
    own: bool
    """Of the home's models file, not of the package."""
    origin: str
    """Where the installed file came from, or empty."""
    sha256: str
    """Of the installed file, or empty."""
    path: Path | None
    problem: str
    """Why the installed file cannot be used, or empty."""


@use_case
def list_models(home: Home) -> list[Model]:
    """The catalog, in its order."""
    records = {record.name: record for record in home.weights.installed()}
    models = []
    for entry in home.models.entries.values():
        record = records.get(entry.name)
        try:
            path, problem = home.weights.path(entry.name), ""
        except AvionError as error:
            path, problem = None, str(error)
        models.append(
            Model(
                name=entry.name,
                title=entry.title,
                installed=path is not None,
                bundled=entry.bundled,
                size_bytes=record.size_bytes if record else entry.size_bytes,
                partial_bytes=home.weights.partial_bytes(entry.name),
                dim=entry.dim,
                image_size=entry.image_size,
                parameters=entry.parameters,
                activation="QuickGELU" if entry.quick_gelu else "GELU",
                takes_prompts=entry.kind == "open_clip",
                licence=entry.licence,
                source=entry.source,
                hub=entry.origin,
                warning=entry.warning,
                own=entry.own,
                origin=record.source if record else "",
                sha256=record.sha256 if record else "",
                path=path,
                problem=problem,
            )
        )
    return models


@use_case
def remove_model(home: Home, name: str) -> int:
    """Delete installed weights and unfinished downloads; returns the bytes that are free again.

    Raises:
        NotFoundError: nothing is installed under that name.
    """
    return home.weights.remove(name)

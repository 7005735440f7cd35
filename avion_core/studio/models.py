"""Towers opened once per process, the catalog of weights, and downloads that go on beside the pages."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from avion_core.errors import AvionError
from avion_core.store.home import Home

if TYPE_CHECKING:
    from avion_core.backbones.towers import Towers


def open_towers(home: Home, name: str) -> Towers:
    """The towers of a catalog name, on the GPU where there is one.

    Raises:
        NotFoundError: no such name, or its weights are not installed.
        CheckpointError: the weights file is not what it should be.
    """
    return _open(home, name, home.weights.path(name))


@lru_cache(maxsize=2)
def _open(home: Home, name: str, _path: Path | None) -> Towers:
    """`_path` is part of the key: weights that were exchanged are opened anew."""
    import torch

    from avion_core.backbones.load import load_towers

    return load_towers(name, home.weights, device="cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Model:
    """One pair of towers of the catalog, and what of it is on this machine."""

    name: str
    title: str
    installed: bool
    bundled: bool
    """Comes with the package: there is nothing to download, add or remove."""
    size_bytes: int
    """Of the installed file, else of the hub's, to about one percent."""
    partial_bytes: int
    """What a download left that did not come to its end."""
    dim: int
    image_size: int
    parameters: int
    activation: str
    licence: str
    source: str
    hub: str
    """REPOSITORY/FILE on the hub, or empty."""
    origin: str
    """Where the installed file came from, or empty."""
    sha256: str
    """Of the installed file, or empty."""
    path: Path | None
    problem: str
    """Why the installed file cannot be used, or empty."""


def list_models(home: Home) -> list[Model]:
    """The catalog, in its order."""
    from avion_core.backbones.catalog import CATALOG

    records = {record.name: record for record in home.weights.installed()}
    models = []
    for entry in CATALOG.values():
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
                bundled=entry.hub_repo is None,
                size_bytes=record.size_bytes if record else entry.size_bytes,
                partial_bytes=home.weights.partial_bytes(entry.name),
                dim=entry.dim,
                image_size=entry.image_size,
                parameters=entry.parameters,
                activation="QuickGELU" if entry.quick_gelu else "GELU",
                licence=entry.licence,
                source=entry.source,
                hub=f"{entry.hub_repo}/{entry.hub_file}" if entry.hub_repo else "",
                origin=record.source if record else "",
                sha256=record.sha256 if record else "",
                path=path,
                problem=problem,
            )
        )
    return models


def add_model(home: Home, name: str, path: Path) -> Path:
    """Install weights from a file; it is loaded first, and keys that lack or are foreign are named.

    Raises:
        NotFoundError: the catalog has no such name, or it is the demo pair's.
        CheckpointError: the file is not what it should be.
        StoreError: the home's disk is full or closed.
    """
    return home.weights.add_local(name, path)


def remove_model(home: Home, name: str) -> int:
    """Delete installed weights and unfinished downloads; returns the bytes that are free again.

    Raises:
        NotFoundError: nothing is installed under that name.
    """
    return home.weights.remove(name)


@dataclass
class Download:
    """A download that goes on in a thread of this server, whatever the browsers do."""

    name: str
    done: int = 0
    total: int = 0
    error: AvionError | None = None
    finished: bool = False
    _stop: Event = field(default_factory=Event)
    _began: tuple[float, int] | None = None

    def stop(self) -> None:
        """End it soon; what is fetched stays, and the next download goes on there."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    @property
    def remaining_seconds(self) -> float | None:
        """At the pace since it began; None before there is one."""
        if self._began is None or self.done <= self._began[1]:
            return None
        began, had = self._began
        return (time.monotonic() - began) * (self.total - self.done) / (self.done - had)

    def _fetch(self, home: Home) -> None:
        try:
            home.weights.download(self.name, self._progress, self._stop)
        except AvionError as error:
            self.error = None if self.stopped else error
        finally:
            self.finished = True

    def _progress(self, done: int, total: int, _what: str) -> None:
        self._began = self._began or (time.monotonic(), done)
        self.done, self.total = done, total


_downloads: dict[tuple[Path, str], Download] = {}
_lock = Lock()


def start_download(home: Home, name: str) -> Download:
    """Fetch weights beside the page; a second call while it goes on finds the same download.

    Raises:
        NotFoundError: the catalog has no such name.
    """
    from avion_core.backbones.catalog import find_entry

    find_entry(name)
    with _lock:
        going_on = current_download(home, name)
        if going_on is None or going_on.finished:
            going_on = _downloads[home.path, name] = Download(name, home.weights.partial_bytes(name))
            Thread(target=going_on._fetch, args=(home,), name=f"download {name}", daemon=True).start()
        return going_on


def current_download(home: Home, name: str) -> Download | None:
    """The download of that name that goes on, or the last one that ended."""
    return _downloads.get((home.path, name))

"""Towers opened once per process, the catalog of weights, and installing weights beside the pages."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, BinaryIO

from avion_core.errors import AvionError
from avion_core.progress import Progress, remaining_seconds
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case

if TYPE_CHECKING:
    from avion_core.backbones.towers import Towers


@use_case
def open_towers(home: Home, name: str) -> Towers:
    """The towers of a catalog name, on the GPU where there is one.

    Raises:
        NotFoundError: no such name, or its weights are not installed.
        CheckpointError: the weights file is not what it should be.
    """
    return _open(name, home.weights.need(name))


@lru_cache(maxsize=2)
def _open(name: str, path: Path) -> Towers:
    """Weights that were exchanged lie in a file of another name, so they are opened anew."""
    import torch

    from avion_core.backbones.catalog import find_entry
    from avion_core.backbones.load import build_towers

    return build_towers(find_entry(name), path, device="cuda" if torch.cuda.is_available() else "cpu")


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
    takes_prompts: bool
    """Can be a student."""
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


@use_case
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
                takes_prompts=entry.kind == "open_clip",
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


@use_case
def remove_model(home: Home, name: str) -> int:
    """Delete installed weights and unfinished downloads; returns the bytes that are free again.

    Raises:
        NotFoundError: nothing is installed under that name.
    """
    return home.weights.remove(name)


@dataclass
class Installing:
    """Weights on their way in, in a thread of this server: it goes on whatever the browsers do.

    `done` and `total` are bytes of a download; of a local file, which is loaded and copied, both stay 0.
    """

    name: str
    downloads: bool
    done: int = 0
    total: int = 0
    error: AvionError | None = None
    finished: bool = False
    _stop: Event = field(default_factory=Event)
    _began: tuple[float, int] | None = None

    def stop(self) -> None:
        """End a download soon; what is fetched stays, and the next one goes on there."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    @property
    def remaining_seconds(self) -> float | None:
        """At the pace since it began; None before there is one."""
        if self._began is None:
            return None
        began, had = self._began
        return remaining_seconds(time.monotonic() - began, self.done, self.total, had)

    def _run(self, install: Callable[[Progress, Event], Path]) -> None:
        try:
            install(self._progress, self._stop)
        except AvionError as error:
            self.error = None if self.stopping else error
        except Exception as error:
            what = f"something unexpected went wrong ({type(error).__name__}: {error})"
            self.error = AvionError(what, "Try again; if it happens again, please report it.")
        finally:
            self.finished = True

    def _progress(self, done: int, total: int, _what: str) -> None:
        self._began = self._began or (time.monotonic(), done)
        self.done, self.total = done, total


_under_way: dict[tuple[Path, str], Installing] = {}
_lock = Lock()


@use_case
def start_download(home: Home, name: str) -> Installing:
    """Fetch weights beside the page. A second call while it goes on finds the same work.

    Raises:
        NotFoundError: the catalog has no such name.
    """
    return _start(home, name, True, lambda progress, stop: home.weights.download(name, progress, stop))


@use_case
def start_adding(home: Home, name: str, file: Path | BinaryIO, file_name: str = "") -> Installing:
    """Install weights from a file on this machine, or from one that a browser sent, beside the page.

    The file is loaded first; keys that lack or are foreign are named in the error.

    Args:
        file_name: of a file that was sent.

    Raises:
        NotFoundError: the catalog has no such name.
    """

    def install(_progress: Progress, _stop: Event) -> Path:
        if isinstance(file, Path):
            return home.weights.add_local(name, file)
        with tempfile.TemporaryDirectory(dir=home.path) as folder:
            # The name is the visitor's: kept for messages and the record, without what could lead elsewhere.
            sent = Path(folder) / re.sub(r"[^\w.-]", "_", Path(file_name).name)
            with sent.open("wb") as copy:
                shutil.copyfileobj(file, copy)
            return home.weights.add_local(name, sent)

    return _start(home, name, False, install)


@use_case
def installing(home: Home, name: str) -> Installing | None:
    """The work on weights of that name that goes on, or that ended last."""
    return _under_way.get((home.path, name))


@use_case
def stop_installing(home: Home, name: str) -> None:
    """End the work on weights of that name, if there is any; a download keeps what came, and goes on from there."""
    work = installing(home, name)
    if work is not None:
        work.stop()


def _start(home: Home, name: str, downloads: bool, install: Callable[[Progress, Event], Path]) -> Installing:
    from avion_core.backbones.catalog import find_entry

    find_entry(name)
    with _lock:
        work = installing(home, name)
        if work is None or work.finished:
            work = _under_way[home.path, name] = Installing(name, downloads)
            Thread(target=work._run, args=(install,), name=f"weights of {name}", daemon=True).start()
        return work

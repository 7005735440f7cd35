"""Which folders of this machine people may name: who signs in does not read with the eyes of the server's user."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avion_core.actor import ALONE, STUDIO, Actor
from avion_core.bundled import demo_folder
from avion_core.errors import RightsError

FOLDERS = "AVION_FOLDERS"

_own: set[Path] = set()
"""Folders of the studio's own that are in use just now."""


def named_folders() -> tuple[Path, ...]:
    """The folders that AVION_FOLDERS names, with a colon between them (on Windows a semicolon)."""
    listed = os.environ.get(FOLDERS, "").split(os.pathsep)
    return tuple(Path(folder).expanduser().resolve() for folder in listed if folder.strip())


def nameable(actor: Actor, path: Path) -> Path:
    """A path of this machine as somebody named it, absolute, where it is theirs to name.

    Whoever works here alone, and the studio itself, may name what this machine lets them open. Who signs in may name
    what lies inside the folders of AVION_FOLDERS, once links are followed; of what lies elsewhere they do not learn
    whether it exists.

    Raises:
        RightsError: it lies elsewhere.
    """
    if actor in (ALONE, STUDIO):
        return Path(path).expanduser().absolute()
    folders = named_folders()
    try:
        real = Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, nobody's home, a NUL
        real = None
    if real is not None and any(map(real.is_relative_to, (*folders, *_own, demo_folder().resolve()))):
        return real
    listed = ", ".join(map(str, folders))
    hint = f"Choose a path inside {listed}" if listed else "No folder is named yet"
    example = os.pathsep.join(("/data/scenes", "/data/texts"))
    raise RightsError(
        "this path is outside the folders of the server that may be used here",
        f"{hint}; whoever starts the studio names them, as in {FOLDERS}={example}.",
        value=str(path),
    )


@contextmanager
def own_folder(purpose: str) -> Iterator[Path]:
    """An empty folder for as long as the block lasts, for uploads and packs that go through the studio."""
    with tempfile.TemporaryDirectory(prefix=f"avion-{purpose}-") as name:
        folder = Path(name).resolve()
        _own.add(folder)
        try:
            yield folder
        finally:
            _own.discard(folder)

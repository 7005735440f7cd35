"""What one installation stands on: its folders and their sizes, the database, the device, and which keys are set."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from avion_core import __version__
from avion_core.store.database import SCHEMA, database_url, without_password
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case

KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY")
"""Environment variables with the keys of writers. That they are set is told, what they hold never."""

_FOLDERS = {
    "weights": "weights of teachers and students",
    "features": "embeddings of images and texts; computed again when they are missing",
    "projects": "manifests, frozen splits, maps",
    "runs": "inputs, checkpoints and results of trainings",
    "backups": "copies of the database",
}


@dataclass(frozen=True)
class Folder:
    name: str
    what: str
    size_bytes: int


@dataclass(frozen=True)
class Storage:
    """The home folder: `database` is an address that may be shown, `database_bytes` is 0 for a server's."""

    home: Path
    folders: list[Folder]
    free_bytes: int
    database: str
    database_bytes: int
    schema: str


@dataclass(frozen=True)
class Device:
    """Where towers compute. Memory in bytes: of the GPU, or of the machine where there is none."""

    name: str
    kind: str
    memory_bytes: int
    free_memory_bytes: int
    threads: int
    software: str


@use_case
def storage(home: Home) -> Storage:
    """The home folder's parts and their sizes in bytes, as they are now.

    Raises:
        StoreError: the home folder or the database cannot be used.
    """
    _ = home.engine
    database = [path for path in home.path.glob("avion.sqlite3*") if path.is_file()]
    return Storage(
        home=home.path,
        folders=[Folder(name, what, _size(home.path / name)) for name, what in _FOLDERS.items()],
        free_bytes=shutil.disk_usage(home.path).free,
        database=without_password(database_url(home.path)),
        database_bytes=sum(path.stat().st_size for path in database),
        schema=SCHEMA,
    )


def device() -> Device:
    """The GPU that towers use, or the processor."""
    import torch

    software = f"AVION Studio {__version__}, Python {platform.python_version()}, torch {torch.__version__}"
    if torch.cuda.is_available():
        free, whole = torch.cuda.mem_get_info()
        return Device(torch.cuda.get_device_name(), "GPU", whole, free, torch.get_num_threads(), software)
    memory = psutil.virtual_memory()
    name = platform.processor() or platform.machine()
    return Device(name, "processor", memory.total, memory.available, torch.get_num_threads(), software)


def keys_present() -> dict[str, bool]:
    """For each key of a writer, whether it is set and not empty."""
    return {name: bool(os.environ.get(name, "").strip()) for name in KEYS}


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; one that vanishes meanwhile counts nothing."""
    total = 0
    for where, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except FileNotFoundError:
                continue
    return total

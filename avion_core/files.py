"""Files written whole or not at all: under another name in the same folder, then put in place in one step."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

UNFINISHED = ".part"
"""How the names of files and folders end that are still being written, or were when their writer was killed."""

_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:4]
_A_DAY = 24 * 3600.0


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write a file at; what is there takes the place of `path` when the block ends well.

    Readers, and whoever comes after a crash, see the earlier file or the new one, never half of it. If the block fails,
    `path` stays as it was and the unfinished file is deleted. The folder must exist; otherwise an OSError says so.
    """
    unfinished = unfinished_beside(path)
    try:
        yield unfinished
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `path` when the block ends well, unless another process was first.

    For folders whose name follows from their content, so that it does not matter whose copy is kept.
    """
    unfinished = unfinished_beside(path)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        try:
            os.replace(unfinished, path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes whole."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def write_json(path: Path, content: Any, *, indent: int | None = None) -> None:
    """Write JSON whole, in ASCII: so a path that is no UTF-8 comes back as it was."""
    write_text(path, json.dumps(content, indent=indent))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table whole, as Parquet without its row numbers."""
    with replacing(path) as unfinished:
        table.to_parquet(unfinished, index=False)


def unfinished_beside(path: Path) -> Path:
    """A name for writing a file or folder under, that says which process writes it (see `clear_leftovers`)."""
    return path.with_name(f"{path.name}.{_MACHINE}-{os.getpid():x}-{uuid.uuid4().hex[:8]}{UNFINISHED}")


def clear_leftovers(found: Iterable[Path]) -> list[Path]:
    """Delete the unfinished files and folders among these whose writer was killed; returns them.

    A writer on this machine is gone when its process is; of others, what nobody has touched for a day is left over.
    """
    gone = []
    for path in found:
        if path.name.endswith(UNFINISHED) and not _is_being_written(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            gone.append(path)
    return gone


def _is_being_written(path: Path) -> bool:
    machine, _, writer = path.name.removesuffix(UNFINISHED).rpartition(".")[2].partition("-")
    process = writer.partition("-")[0]
    if machine == _MACHINE and process and set(process) <= set("0123456789abcdef"):
        import psutil  # for the studio alone, which clears away: the library does without

        return psutil.pid_exists(int(process[:8], 16))
    try:
        newest = max(file.lstat().st_mtime for file in (path, *path.rglob("*")))
    except OSError:  # somebody else's hand is in it
        return True
    return abs(time.time() - newest) < _A_DAY  # one of next week is from a clock that was ahead

"""Files written whole or not at all: under another name in the same folder, then put in place in one step."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

UNFINISHED = ".part"
"""How the names of files and folders end that are still being written, or were when their writer was killed."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write a file at; what is there takes the place of `path` when the block ends well.

    Readers, and whoever comes after a crash, see the earlier file or the new one, never half of it. If the block fails,
    `path` stays as it was and the unfinished file is deleted. The folder must exist; otherwise an OSError says so.
    """
    unfinished = _beside(path)
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
    unfinished = _beside(path)
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


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")

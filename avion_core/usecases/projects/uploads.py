"""Files that came through a browser, for use cases that read files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from avion_core.usecases.folders import own_folder

MOST_MB = 200
"""How large a file may be that comes through the browser, which the server holds in memory meanwhile. Only weights may
be larger, for which `server.maxUploadSize` in .streamlit/config.toml leaves room."""


@contextmanager
def as_file(name: str, content: bytes) -> Iterator[Path]:
    """A file of this name with this content, for as long as the block lasts; folders in the name are left out."""
    with own_folder("upload") as folder:
        path = folder / (PurePath(name.replace("\\", "/")).name or "upload")
        path.write_bytes(content)
        yield path

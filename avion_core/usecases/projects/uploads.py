"""Files that came through a browser, for use cases that read files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath


@contextmanager
def as_file(name: str, content: bytes) -> Iterator[Path]:
    """A file of this name with this content, for as long as the block lasts; folders in the name are left out."""
    with tempfile.TemporaryDirectory(prefix="avion-upload-") as folder:
        path = Path(folder) / (PurePath(name.replace("\\", "/")).name or "upload")
        path.write_bytes(content)
        yield path

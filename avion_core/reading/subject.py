"""What is being read, as its messages name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avion_core.errors import AvionError, DataError

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Subject:
    """What is read: how messages name it, and how large it may be."""

    name: str
    """As a sentence begins with it: "the caption file"."""
    error: type[AvionError] = DataError
    """What a refusal is raised as."""
    hint: str = "Export it again, or choose another file."
    """What to do where the content is at fault."""
    most_bytes: int = 1024 * MEBIBYTE
    """Of the file, and of a table once it is unpacked."""
    most_rows: int = 10_000_000
    """Of a table."""

    uploaded: bool = False
    """Whether it may have come through a browser: its folder is then of no use in a message."""

    def shown(self, path: Path) -> str:
        """A path as messages show it."""
        return path.name if self.uploaded else str(path)

    def refused(self, problem: str, hint: str = "", **value: Any) -> AvionError:
        """The error that says what is wrong ("is not JSON"), to be raised by the caller; `value=` is what was met."""
        return self.error(f"{self.name} {problem}", hint or self.hint, **value)

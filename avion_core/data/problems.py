"""What can be wrong with a data set, as something to show in a table rather than to fail on."""

from __future__ import annotations

from dataclasses import dataclass

from avion_core.errors import DataError


@dataclass(frozen=True)
class Problem:
    """One thing that a person should know about a data set."""

    kind: str
    """One word to count and filter by, for example "corrupt", "duplicate" or "name_collision"."""
    path: str
    """The file (relative to the image folder) or the class that it is about."""
    message: str
    """What is wrong and what was done about it, in one or two sentences."""


class ImageError(DataError):
    """One picture that cannot be used; `kind` is that of the Problem which a scan makes of it."""

    def __init__(self, kind: str, what: str, hint: str, *, value: object) -> None:
        super().__init__(what, hint, value=value)
        self.kind = kind

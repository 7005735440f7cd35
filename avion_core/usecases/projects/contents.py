"""Files of a project's folder by their content: tables name copies whose twin the scan kept."""

from __future__ import annotations

from pathlib import Path

from avion_core.data.images import content_id


class Copies:
    """Which picture of the project a file is a copy of, by content: a scan keeps one path of each content.

    Args:
        root: the project's folder of images. path_of: image id -> the path that was kept.
    """

    def __init__(self, root: Path, path_of: dict[str, str]) -> None:
        self._root, self._path_of = root.resolve(), path_of

    def __call__(self, listed: str) -> str | None:
        file = (self._root / listed).resolve()
        if not file.is_relative_to(self._root) or not file.is_file():
            return None
        return self._path_of.get(content_id(file))

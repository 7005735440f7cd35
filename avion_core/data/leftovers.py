"""What systems and programs leave among pictures: recycle bins, snapshots, thumbnails. None of it is data."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

_FOLDERS = {
    "@eadir", "@recycle", "@recently-snapshot", "@sharebin", "@synoresource", "@tmp", "#recycle", "#snapshot",
    "$recycle.bin", "recycler", "recycled", "__macosx", "__pycache__", "system volume information", "lost+found",
    "found.000", "thumbnails", "_thumbnails", ".thumbnails", "thumbs", "_thumbs",
}  # fmt: skip
_MARK = "thumb|thumbnail|tn|preview|quicklook|browse"
_THUMBNAIL = re.compile(rf"(?:(?:{_MARK})[-_. ](?P<of>.+)|(?P<before>.+)[-_. ](?:{_MARK}))", re.IGNORECASE)


def is_leftover_folder(name: str) -> bool:
    """Whether a folder is a system's own: of a NAS, a recycle bin, a disk check, an archive made on a Mac."""
    return name.lower() in _FOLDERS or name.startswith(".Trash")


def thumbnails(paths: Iterable[str]) -> list[str]:
    """Pictures that stand as thumbnails beside the very pictures they show: `a_thumb.jpg` beside `a.tif`."""
    stems: dict[str, set[str]] = defaultdict(set)
    listed = [PurePosixPath(path) for path in paths]
    for path in listed:
        stems[str(path.parent)].add(path.stem)
    found = []
    for path in listed:
        mark = _THUMBNAIL.fullmatch(path.stem)
        if mark and (mark["of"] or mark["before"]) in stems[str(path.parent)]:
            found.append(str(path))
    return found


def one_picture_twice(paths: Iterable[str]) -> list[list[str]]:
    """Pictures that share a folder and a stem (`a.tif`, `a.jpg`): the same one in several encodings, most likely."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in map(PurePosixPath, paths):
        together[str(path.parent), path.stem.casefold()].append(str(path))
    return [sorted(found) for found in together.values() if len(found) > 1]

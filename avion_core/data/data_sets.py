"""Published data sets on this machine: which one a folder is, what it lacks, and fetching one from the hub."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from zipfile import BadZipFile, ZipFile

from huggingface_hub import constants as hub_constants
from huggingface_hub import hf_hub_url

from avion_core.data.captions import read_captions
from avion_core.data.catalog import DATA_SETS, DataSetEntry, HubArchive
from avion_core.data.class_names import fold
from avion_core.data.images import content_id
from avion_core.data.scan import list_pictures
from avion_core.downloads import DownloadStopped, fetch, partial_bytes, reason_of
from avion_core.errors import DataError, NotFoundError
from avion_core.progress import Progress
from avion_core.reading import Subject, web_address
from avion_core.wording import counted

_HUB = Subject("the hub's address (HF_ENDPOINT)")
_LEAST_KNOWN = 0.5
"""Share of a data set's classes that a folder must have to be taken for it."""
_MOST_BYTES = 16 * 2**30
"""Of an archive's files, unpacked."""
_SHOWN = 5


class FetchStopped(DataError):
    """Somebody asked for a stop before the data set was there."""


@dataclass(frozen=True)
class Verified:
    """A folder held against the catalog."""

    entry: DataSetEntry
    root: Path
    """The folder that holds the class folders, or the caption file's images."""
    images: int
    classes: dict[str, int]
    """Class as the catalog names it -> its images; of a data set of captions, part -> its images."""
    missing: list[str]
    """Classes without a folder, or images of the caption file without a file."""
    unknown: list[str]
    """Folders that are no class of it."""
    copies: int
    """Images whose content is there already."""
    across: list[str]
    """Of these, under another class: "a.jpg (beach) is b.jpg (harbor)"."""

    @property
    def complete(self) -> bool:
        """Whether everything that is published is there, and nothing else."""
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """What differs from what is published, a sentence each. Copies are part of some published sets."""
        entry, said = self.entry, []
        of = ("class", "classes") if entry.classes else ("image", "")
        if self.missing:
            said.append(f"{counted(len(self.missing), *of)} missing: {_some(self.missing)}.")
        if self.unknown:
            said.append(f"{counted(len(self.unknown), 'folder')} of no class of it: {_some(self.unknown)}.")
        said += list(self._counts())
        if self.images != entry.images:
            said.append(f"{self.images:,} images, and {entry.images:,} are published.")
        return said

    def _counts(self) -> Iterator[str]:
        if self.entry.per_class:
            fewest, most = self.entry.per_class
            wanted = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
            for key, count in self.classes.items():
                if not fewest <= count <= most:
                    yield f"{key} has {counted(count, 'image')}, and {wanted} are published."
        for part, published in self.entry.splits:
            if self.classes.get(part, 0) != published:
                yield f"{part} has {counted(self.classes.get(part, 0), 'image')}, and {published:,} are published."


def recognized(folder: Path) -> DataSetEntry | None:
    """The data set that a folder looks like: by its class folders, or by the name of a caption file in it."""
    named = {fold(path.name) for path in _folders(folder)}
    shares = {
        name: len(named & set(map(fold, entry.classes))) / len(entry.classes)
        for name, entry in DATA_SETS.items()
        if entry.classes
    }
    best = max(shares, key=shares.__getitem__)
    if shares[best] >= _LEAST_KNOWN:
        return DATA_SETS[best]
    files = [path.name.lower() for path in sorted(folder.rglob("*.json"))]
    return next((e for e in DATA_SETS.values() if not e.classes and any(e.name in file for file in files)), None)


def verify(folder: Path, entry: DataSetEntry, progress: Progress | None = None) -> Verified:
    """Count a local copy's classes and images, and look for copies by content.

    Raises:
        DataError: no such folder, no image in it, or no caption file where one belongs.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("the folder does not exist", "Check the path.", value=str(folder))
    if not entry.classes:
        return _verify_captions(folder, entry, progress)
    keys = {fold(key): key for key in entry.classes}
    root = _class_root(folder, keys)
    here = {path.name: keys.get(fold(path.name)) for path in root.iterdir() if path.is_dir() and path.name[0] != "."}
    pictures = {path: key for path in list_pictures(root) if (key := here.get(path.partition("/")[0]))}
    counts = Counter(pictures.values())
    copies, across = _copies(root, pictures, progress)
    return Verified(
        entry,
        root,
        len(pictures),
        {key: counts[key] for key in entry.classes if counts[key]},
        [key for key in entry.classes if not counts[key]],
        sorted(name for name, key in here.items() if key is None),
        copies,
        across,
    )


def get(
    entry: DataSetEntry,
    into: Path,
    progress: Progress | None = None,
    stop: Event | None = None,
    *,
    endpoint: str | None = None,
) -> Path:
    """Fetch a data set's archive from the hub, see that it is the known one, and unpack it; returns the class folders.

    What was fetched before a broken connection, a stop or an interrupt is kept beside `into`, and the next call goes on
    there.

    Args:
        into: a folder that does not exist yet, or is empty.
        endpoint: the hub's address, where it is not the usual one (a mirror).

    Raises:
        NotFoundError: no hub is known to carry it; it says where to get it by hand.
        FetchStopped: `stop` was set.
        DataError: the folder is in use, the hub cannot be reached, or the archive is not the known one.
    """
    hub, into = entry.hub, Path(into)
    if hub is None:
        kit = f", or {entry.kit} (its layout is the kit's own)" if entry.kit else ""
        what = f"no hub is known to carry {entry.title}"
        raise NotFoundError(what, f"Get it from {entry.page}{kit}.", value=entry.name)
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise DataError("the folder is not empty", "Name a new folder.", value=str(into))
    partial = into.absolute().with_name(f".part-{into.name}-{entry.name}")
    web_address(endpoint or hub_constants.ENDPOINT, _HUB)
    url = hf_hub_url(hub.repository, hub.file, repo_type="dataset", revision=hub.revision, endpoint=endpoint)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        archive, sha256 = fetch(url, partial, entry.title, progress, stop or Event())
    except DownloadStopped:
        raise FetchStopped("the download was stopped", "Ask for it again: it continues where it stopped.") from None
    except Exception as error:  # the hub's client, its HTTP library and the disk have no common base
        if not partial_bytes(partial):
            shutil.rmtree(partial, ignore_errors=True)
        hint = f"Check the connection and try again, or get it from {entry.page} by other means."
        what = f"the data set could not be downloaded ({reason_of(error)})"
        raise DataError(what, hint, value=entry.name) from error
    try:
        _refuse_other(archive, sha256, hub)
        _unpack(archive, partial / "unpacked")
        into.parent.mkdir(parents=True, exist_ok=True)
        if into.exists():
            into.rmdir()
        (partial / "unpacked").rename(into)
    except OSError as error:  # the disk's fault, not the archive's
        shutil.rmtree(partial / "unpacked", ignore_errors=True)
        hint = "Make room and ask for it again: it is kept, and not downloaded a second time."
        what = f"the downloaded archive could not be unpacked ({reason_of(error)})"
        raise DataError(what, hint, value=entry.name) from error
    except DataError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(partial, ignore_errors=True)
    return into / hub.folder


def _refuse_other(archive: Path, sha256: str, hub: HubArchive) -> None:
    """An archive that is not the one whose hash is known is thrown away."""
    algorithm, _, wanted = hub.digest.partition(":")
    found = sha256
    if algorithm != "sha256":
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    if found != wanted:
        hint = f"Ask for it again. {hub.known_from} states {hub.digest}."
        raise DataError("the archive is not the published one", hint, value=f"{algorithm}:{found}")


def _unpack(archive: Path, into: Path) -> None:
    """All files of a ZIP archive, inside the folder and nowhere else."""
    shutil.rmtree(into, ignore_errors=True)
    hint = "Ask for it again."
    try:
        with ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            if sum(member.file_size for member in members) > _MOST_BYTES:
                raise DataError("the archive unpacks to more than 16 GiB", "Unpack it by hand.", value=archive.name)
            for member in members:
                if member.filename.startswith("/") or ".." in Path(member.filename).parts:
                    raise DataError("the archive holds a file outside of itself", hint, value=member.filename)
            opened.extractall(into, members)
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"the archive cannot be unpacked ({error})", hint, value=archive.name) from error


def _class_root(folder: Path, keys: dict[str, str]) -> Path:
    """The folder, of this one and those below it, with the most class folders."""
    around = [folder, *(path for path in _folders(folder) if fold(path.name) not in keys)]
    return max(around, key=lambda path: sum(fold(below.name) in keys for below in path.iterdir() if below.is_dir()))


def _folders(folder: Path, depth: int = 3) -> Iterator[Path]:
    """Folders below one, a few levels deep; hidden ones are left out."""
    for path in sorted(folder.iterdir()) if depth and folder.is_dir() else ():
        if path.is_dir() and path.name[0] != ".":
            yield path
            yield from _folders(path, depth - 1)


def _copies(root: Path, pictures: dict[str, str], progress: Progress | None) -> tuple[int, list[str]]:
    by_content: dict[str, list[str]] = defaultdict(list)
    for done, path in enumerate(pictures, start=1):
        by_content[content_id(root / path)].append(path)
        if progress is not None:
            progress(done, len(pictures), "comparing images")
    sets = [paths for paths in by_content.values() if len(paths) > 1]
    across = [
        f"{first} is {other}" for first, *others in sets for other in others if pictures[first] != pictures[other]
    ]
    return sum(len(paths) - 1 for paths in sets), across


def _verify_captions(folder: Path, entry: DataSetEntry, progress: Progress | None) -> Verified:
    files = [path for path in sorted(folder.rglob("*.json")) if entry.name in path.name.lower()]
    if not files:
        hint = f"Put it beside the images, as dataset_{entry.name}.json."
        raise DataError(f"the folder has no caption file of {entry.title}", hint, value=str(folder))
    table = read_captions(files[0]).table
    paths = {Path(path).name: path for path in list_pictures(folder)}
    here = {path: paths.get(Path(path).name) for path in table["path"]}
    found = {real: "" for real in here.values() if real is not None}
    parts = Counter(split for path, split in zip(table["path"], table["split"], strict=True) if here[path] is not None)
    copies, _ = _copies(folder, found, progress)
    missing = [path for path, real in here.items() if real is None]
    return Verified(entry, folder, len(found), dict(parts), missing, [], copies, [])


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")

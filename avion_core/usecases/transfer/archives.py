"""Archives that travel between studios: ZIP files that list what they hold, with a hash for each member.

What comes from elsewhere is not trusted: nothing is unpacked outside of its folder, nothing that is not listed, nothing
that is larger than it says, and nothing whose content is another than when it was packed.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pydantic import BaseModel, Field

from avion_core.errors import DataError
from avion_core.files import UNFINISHED, clear_leftovers, unfinished_beside
from avion_core.progress import Progress
from avion_core.reading import Subject, fitted, parse_json, regular_file
from avion_core.store.backups import sqlite_file
from avion_core.store.database import database_url
from avion_core.store.home import Home
from avion_core.usecases.policies import use_case

LISTING = "pack.json"
_MOST_LISTING_BYTES = 64 * 2**20
_A_READ = 2**20
_SQUEEZED = (".jsonl", ".json", ".csv", ".txt", ".html", ".md", ".tex")  # the rest is compressed already
_PACK_AGAIN = "Pack it again, or copy the file again."
_PACK = Subject("the pack", hint=_PACK_AGAIN, most_bytes=2**50, uploaded=True)
_LISTING = Subject("the pack's listing")
_MOST_IN_MEMORY = 1024 * 2**20
_LONGEST_NAME, _LONGEST_PATH = 255, 2048
"""Bytes of a file's or folder's name, as file systems bound it, and of a member's whole name."""


class ArchiveWriter:
    """Adds members to an archive and remembers what they are."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, content: bytes) -> None:
        self._archive.writestr(name, content, self._compression(name))
        self.files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def add_file(self, name: str, path: Path) -> None:
        """Copy a file in, piece by piece; one that changes meanwhile is listed as it was written."""
        digest, size = hashlib.sha256(), 0
        info = ZipInfo(name)
        info.compress_type = self._compression(name)
        with path.open("rb") as source, self._archive.open(info, "w", force_zip64=True) as target:
            while piece := source.read(_A_READ):
                digest.update(piece)
                size += len(piece)
                target.write(piece)
        self.files[name] = {"bytes": size, "sha256": digest.hexdigest()}

    def _compression(self, name: str) -> int:
        return ZIP_DEFLATED if name.endswith(_SQUEEZED) else ZIP_STORED


@use_case
@contextmanager
def new_archive(
    home: Home, path: Path, kind: str, version: int, about: dict[str, Any], listing: str = LISTING
) -> Iterator[ArchiveWriter]:
    """Write an archive whole or not at all. `about` may still be filled while it is written.

    Args:
        listing: the name of the member that says what it is and lists the others.

    Raises:
        DataError: there is such a file already, it is among the studio's own, or it cannot be written there.
    """
    path = Path(path).expanduser().absolute()
    _refuse_own_files(home, path)
    unfinished = unfinished_beside(path)
    try:
        _refuse_taken(path)
        clear_leftovers(path.parent.glob(f"{glob.escape(path.name)}.*{UNFINISHED}"))
        with ZipFile(unfinished, "x") as archive:
            writer = ArchiveWriter(archive)
            yield writer
            said = {"kind": kind, "format": version, **about, "files": writer.files}
            archive.writestr(listing, json.dumps(said, ensure_ascii=False), ZIP_DEFLATED)
        _put_in_place(unfinished, path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _refuse_taken(path: Path) -> None:
    """An empty file is what earlier versions left when they were killed: it holds nothing, and no name."""
    if path.is_symlink() or (path.exists() and (not path.is_file() or path.stat().st_size)):
        hint = "Choose another name, or move that file away first."
        raise DataError("a file with this name already exists", hint, value=str(path))


def _put_in_place(unfinished: Path, path: Path) -> None:
    """Give a whole pack its name, unless another pack took it meanwhile."""
    _refuse_taken(path)
    path.unlink(missing_ok=True)
    try:
        os.link(unfinished, path)
    except FileExistsError:
        _refuse_taken(path)
    except OSError:  # a file system without hard links, such as a memory stick's
        os.replace(unfinished, path)


def _refuse_own_files(home: Home, path: Path) -> None:
    """A pack beside the database could be taken for its write-ahead log, one in a run's folder for part of the run."""
    there, database = path.parent.resolve() / path.name, sqlite_file(database_url(home.path))
    of_database = (
        database is not None and there.parent == database.parent.resolve() and there.name.startswith(database.name)
    )
    if of_database or there.is_relative_to(home.path.resolve()):
        raise DataError("this folder is for the studio's own files", "Choose a folder elsewhere.", value=str(path))


def _not_written(path: Path, error: OSError) -> DataError:
    hint = "Name a file in an existing folder that you may write to, on a disk with free space."
    return DataError(f"the pack cannot be written ({error.strerror})", hint, value=str(path))


class _Member(BaseModel):
    bytes: int = Field(ge=0)
    sha256: str


class _Listing(BaseModel):
    """What every pack says of itself."""

    kind: str
    format: int
    files: dict[str, _Member]


class Archive:
    """An archive from elsewhere, checked before anything is taken out of it.

    Args:
        kind: what it must be, such as "avion-project".
        newest: the newest format of that kind that is known here.
        listing: as `new_archive` takes it.
        most_bytes: what all members may take unpacked; None for what the disk holds.

    Raises:
        DataError: no such file, no archive, of another kind, of a newer format, too large, or with members that are
            not safe.
    """

    def __init__(
        self, path: Path, kind: str, newest: int, *, listing: str = LISTING, most_bytes: int | None = None
    ) -> None:
        self._listed_in = listing
        self.path = Path(path).expanduser()
        regular_file(self.path, _PACK)
        try:
            self._zip = ZipFile(self.path)
        except OSError as error:
            raise DataError(
                f"the pack cannot be opened ({error.strerror})",
                "Check the path and the file's permissions.",
                value=str(path),
            ) from error
        except (BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise DataError("the file is not a pack, or is incomplete", _PACK_AGAIN, value=self.path.name) from error
        try:
            self.about = self._listing(kind, newest)
            self.files: dict[str, dict[str, Any]] = self.about["files"]
            self._check_members()
            if most_bytes is not None and self.bytes > most_bytes:
                most = f"{most_bytes / 2**30:,.0f} GiB"
                raise DataError(f"the pack becomes larger than {most}", _PACK_AGAIN, value=self.path.name)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()

    @property
    def bytes(self) -> int:
        """What all members take unpacked."""
        return sum(entry["bytes"] for entry in self.files.values())

    def read(self, name: str) -> bytes:
        """A member's content, in memory.

        Raises:
            DataError: it is missing, not what was packed, or too large for that.
        """
        if name not in self.files:
            raise DataError("the pack lacks a part", _PACK_AGAIN, value=name)
        if self.files[name]["bytes"] > _MOST_IN_MEMORY:
            raise DataError("a part of the pack is too large to be read", _PACK_AGAIN, value=name)
        return b"".join(self._pieces(name))

    def unpack(self, below: str, folder: Path, progress: Progress | None = None) -> None:
        """Write the members whose names begin with `below` into a folder, under what follows in their names.

        Raises:
            DataError: too little room, or a member that is not what was packed.
        """
        names = [name for name in self.files if name.startswith(below)]
        folder.mkdir(parents=True, exist_ok=True)
        needed = sum(self.files[name]["bytes"] for name in names)
        if needed > (free := shutil.disk_usage(folder).free):
            hint = f"{needed / 2**30:.1f} GiB are needed and {free / 2**30:.1f} GiB are free: free some space."
            raise DataError("the pack does not fit on this disk", hint, value=str(folder))
        for done, name in enumerate(names, start=1):
            target = folder / name.removeprefix(below)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for piece in self._pieces(name):
                    file.write(piece)
            if progress is not None:
                progress(done, len(names), "unpacking files")

    def _pieces(self, name: str) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), self.files[name]["bytes"]
        try:
            with self._zip.open(name) as member:
                while piece := member.read(min(_A_READ, left + 1)):
                    digest.update(piece)
                    left -= len(piece)
                    if left < 0:
                        break
                    yield piece
        except (BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
            raise DataError("the pack is damaged", _PACK_AGAIN, value=name) from error
        if left != 0 or digest.hexdigest() != self.files[name]["sha256"]:
            raise DataError("a part of the pack has changed since it was packed", _PACK_AGAIN, value=name)

    def _listing(self, kind: str, newest: int) -> dict[str, Any]:
        try:
            if self._zip.getinfo(self._listed_in).file_size > _MOST_LISTING_BYTES:
                raise ValueError
            about = parse_json(self._zip.read(self._listed_in), _LISTING)
            listing = fitted(_Listing, about, _LISTING)
        except (KeyError, ValueError, BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError, DataError):
            hint = "Choose a file that AVION Studio packed."
            raise DataError("the archive is not a pack of AVION Studio", hint, value=self.path.name) from None
        if listing.kind != kind:
            raise DataError(
                f"the pack is of the kind {listing.kind}, not {kind}", "Choose another file.", value=self.path.name
            )
        if listing.format > newest:
            hint = "Update AVION Studio (pip install --upgrade avion-studio)."
            raise DataError("the pack was made by a newer AVION Studio, format", hint, value=listing.format)
        return about

    def _check_members(self) -> None:
        held = [entry for entry in self._zip.infolist() if entry.filename != self._listed_in]
        names = [entry.filename for entry in held]
        for entry in held:
            if not _is_safe(entry):
                raise DataError(
                    "the pack holds a file that would be written outside of its folder",
                    "Do not use this file; ask its sender for a new one.",
                    value=entry.filename,
                )
        folders = {str(folder) for name in names for folder in PurePosixPath(name).parents}
        if clash := sorted(folders & set(names)):
            raise DataError("the pack holds a file under the name of a folder", _PACK_AGAIN, value=clash[0])
        if len(set(names)) != len(names) or set(names) != set(self.files):
            odd = sorted(set(names) ^ set(self.files)) or names
            raise DataError("the pack does not hold the files that it lists", _PACK_AGAIN, value=odd[0])
        for entry in held:
            if entry.file_size != self.files[entry.filename]["bytes"]:
                raise DataError("a part of the pack does not have the listed size", _PACK_AGAIN, value=entry.filename)


def _is_safe(entry: ZipInfo) -> bool:
    name = entry.filename
    parts = PurePosixPath(name).parts
    mode = entry.external_attr >> 16
    return (
        bool(parts)
        and not name.startswith("/")
        and not name.endswith("/")
        and not set("\\:\0") & set(name)
        and not set(parts) & {"..", "."}
        and len(name.encode(errors="replace")) <= _LONGEST_PATH
        and all(len(part.encode(errors="replace")) <= _LONGEST_NAME for part in parts)
        and name == "/".join(parts)
        and (not mode or stat.S_IFMT(mode) in (0, stat.S_IFREG))
    )

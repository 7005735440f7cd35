"""Regular files, no larger than they may be. A pipe would wait for ever, and a device never ends."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from avion_core.reading.subject import MEBIBYTE, Subject

_CHECK_PATH = "Check the path and the file's permissions."
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
_SYSTEM = tuple(Path(folder) for folder in ("/proc", "/sys", "/dev"))


def regular_file(path: Path, subject: Subject) -> int:
    """See that a path is a regular file of a size that may be read; returns its bytes.

    Raises:
        subject.error: it does not exist, may not be read, is a folder, pipe or device, or is too large.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        raise subject.refused(_cannot(error), _CHECK_PATH, value=subject.shown(path)) from None
    except ValueError:  # a NUL in the path
        raise subject.refused("has a path that no file can have", _CHECK_PATH, value=subject.shown(path)) from None
    _check(found, path, subject)
    return found.st_size


def read_bytes(path: Path, subject: Subject) -> bytes:
    """The content of a regular file.

    Raises:
        subject.error: as `regular_file`, or it grew past its limit while it was read.
    """
    regular_file(path, subject)
    try:
        # Without waiting: the path may have become a pipe since it was looked at.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            _check(os.fstat(file.fileno()), path, subject)
            content = file.read(subject.most_bytes + 1)
    except OSError as error:
        raise subject.refused(_cannot(error), _CHECK_PATH, value=subject.shown(path)) from None
    if len(content) > subject.most_bytes:  # files of /proc have no size
        raise _too_large(path, subject)
    return content


def read_text(path: Path, subject: Subject) -> str:
    """The content of a text file in UTF-8, without the mark that some programs put before it.

    Raises:
        subject.error: as `read_bytes`, or it is not UTF-8 (the line is named).
    """
    content = read_bytes(path, subject)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        hint = "Save it again with the encoding UTF-8."
        raise subject.refused(f"is not UTF-8 (line {line})", hint, value=subject.shown(path)) from None


def of_the_system(folder: Path) -> bool:
    """Whether a folder is the system's own view of itself, whose files and links have no end."""
    real = folder.resolve()
    return any(real.is_relative_to(system) for system in _SYSTEM)


def _check(found: os.stat_result, path: Path, subject: Subject) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "a device")
        raise subject.refused(f"is {kind}, not a file", "Choose a regular file.", value=subject.shown(path))
    if found.st_size > subject.most_bytes:
        raise _too_large(path, subject)


def _too_large(path: Path, subject: Subject) -> Exception:
    most = f"{subject.most_bytes / MEBIBYTE:,.0f} MiB"
    return subject.refused(f"is larger than {most}", "Divide it, or choose another file.", value=subject.shown(path))


def _cannot(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "does not exist"
    return f"cannot be read ({error.strerror or type(error).__name__})"

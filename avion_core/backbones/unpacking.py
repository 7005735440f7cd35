"""Weights that are published inside a zip archive, and what lies beside a weights file."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from avion_core.errors import CheckpointError

_KINDS = (".pt", ".pth", ".bin", ".safetensors")
_TORCHS_OWN = ("data.pkl", "constants.pkl")
_BY_PREFERENCE = (
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors"),
    *("open_clip_pytorch_model.bin", "pytorch_model.bin"),
)
"""Names under which open_clip's folders hold weights, the best first."""


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive around weights; a torch file is one, too, and is known by its own members."""
    try:
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return not any(PurePosixPath(name).name in _TORCHS_OWN for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def unpacked(path: Path, folder: Path) -> Path:
    """The weights file inside a zip archive, written into the folder; the path itself where it is no such archive.

    Raises:
        CheckpointError: an archive with no weights file or more than one, or one that is damaged.
    """
    if not is_archive(path):
        return path
    try:
        with zipfile.ZipFile(path) as archive:
            members = [PurePosixPath(member.filename) for member in archive.infolist() if not member.is_dir()]
            found = [member for member in members if member.suffix in _KINDS and not member.name.startswith(".")]
            if len(found) != 1:
                held = f"more than one weights file ({', '.join(map(str, found[:3]))})" if found else "no weights file"
                raise CheckpointError(
                    f"the archive holds {held}", "Unpack it and add the file itself.", value=str(path)
                )
            target = folder / found[0].name
            try:
                with archive.open(str(found[0])) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file, 8 << 20)
            except OSError:
                target.unlink(missing_ok=True)  # half a file, on a disk that is full
                raise
    except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(
            f"the archive cannot be unpacked ({error})", "Download the file again.", value=str(path)
        ) from error
    return target


def weights_in(folder: Path) -> Path:
    """The weights file of a model's folder.

    Raises:
        CheckpointError: it has none.
    """
    named = [folder / name for name in _BY_PREFERENCE if (folder / name).is_file()]
    others = sorted(path for path in folder.iterdir() if path.suffix in _KINDS and path.is_file())
    if not named and len(others) != 1:
        what = "the folder holds more than one weights file" if others else "the folder holds no weights file"
        raise CheckpointError(what, f"Keep one of them there, as {_BY_PREFERENCE[0]}.", value=str(folder))
    return named[0] if named else others[0]

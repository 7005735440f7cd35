"""Files from a hub, fetched by its own client: checked, reported, stopped, and gone on with after a break."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from threading import Event
from typing import Any

from huggingface_hub import get_hf_file_metadata
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import WeakFileLock, build_hf_headers
from huggingface_hub.utils import tqdm as hub_bar

from avion_core.progress import Progress

PARTIAL, WHOLE = ".incomplete", ".whole"
"""Endings of a download's name in its folder: the beginning of a file, and the folder of one that is all there."""
_IS_SHA256 = re.compile("[0-9a-f]{64}")


class DownloadStopped(Exception):
    """Somebody asked for a stop; what was fetched is kept."""


def fetch(
    url: str, folder: Path, title: str, progress: Progress | None, stop: Event, *, elsewhere: bool = False
) -> tuple[Path, str]:
    """The file behind a hub address, in the folder, and its SHA-256; what an earlier call left there is gone on with.

    `hf_hub_download` begins anew after every failure and cannot be stopped while Xet transfers, so this is its plain
    way, by its own parts.

    Args:
        folder: one of its own for each file; it exists.
        elsewhere: the address is not the hub's, and learns nothing of who asks.

    Raises:
        DownloadStopped: `stop` was set. Else whatever the client, its HTTP library and the disk raise.
    """
    token = False if elsewhere else None
    headers = build_hf_headers(token=token)
    metadata = get_hf_file_metadata(url, headers=headers, token=token)
    # Under the name of this version of the file: the beginning of another one is never continued.
    unfinished = folder / f"{hashlib.sha256(f'{metadata.etag}'.encode()).hexdigest()[:16]}{PARTIAL}"
    whole = unfinished.with_suffix(WHOLE) / url.rpartition("/")[2]
    bar = _reporting_bar(title, progress, stop)
    with WeakFileLock(folder / "lock"):
        if whole.is_file():  # fetched before; what was to be done with it then failed
            return whole, sha256_of(whole)
        with unfinished.open("ab") as file:
            have = file.tell()
            http_get(url, file, resume_size=have, headers=headers, expected_size=metadata.size, tqdm_class=bar)
        digest = sha256_of(unfinished)
        if metadata.etag and _IS_SHA256.fullmatch(metadata.etag) and digest != metadata.etag:
            unfinished.unlink()
            raise OSError("the downloaded file is not the one that the hub has")
        whole.parent.mkdir(exist_ok=True)
        return unfinished.rename(whole), digest


def partial_bytes(folder: Path) -> int:
    """How much of a download is in its folder, its file whole or not, that was not put to use."""
    return sum(path.stat().st_size for kind in (PARTIAL, f"{WHOLE}/*") for path in folder.glob(f"*{kind}"))


def reason_of(error: Exception) -> str:
    """What an error of the hub's client, its HTTP library or the disk says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reporting_bar(title: str, progress: Progress | None, stop: Event) -> type[hub_bar]:
    """A bar for the hub's client that draws nothing, tells `progress` how many bytes are there, and heeds `stop`."""

    class ReportingBar(hub_bar):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs | {"disable": True})
            self.bytes, self.whole = kwargs.get("initial") or 0, kwargs.get("total") or 0

        def update(self, n: float | None = 1) -> None:
            if stop.is_set():
                raise DownloadStopped
            self.bytes += int(n or 0)
            if progress is not None:
                progress(self.bytes, self.whole, title)

    return ReportingBar

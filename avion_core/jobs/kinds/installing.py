"""Installing: weights fetched from the hub or taken from a file, checked by loading, and kept in the home.

What a download has fetched stays beside the weights (`backbones.load`): one that was stopped, failed or lost goes on
from there, whichever process resumes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from avion_core.errors import CheckpointError
from avion_core.jobs.job import Context, JobKind, Stopped
from avion_core.progress import BYTES
from avion_core.store.environment import refuse_unusable_proxies


class InstallingRequest(BaseModel):
    """Weights that are wanted."""

    model: str
    """A name of the catalog."""
    file: str = ""
    """A file on this machine, or the name of one that was uploaded into the job's folder; "" for the hub's."""


def install(request: InstallingRequest, context: Context) -> dict[str, Any]:
    """Fetch or copy the weights, check them, and install them."""
    from avion_core.backbones.load import InstallStopped  # imports torch: seconds

    weights = context.home.weights
    doing = "copying the file" if request.file else "downloading"
    begun = False

    def progress(done: int, total: int, _what: str) -> None:
        nonlocal begun
        if not begun:
            begun = True
            context.stage(doing)
        context.progress(done, total, BYTES)
        if done == total and not request.file:
            context.stage("checking the weights")

    context.stage("checking the file" if request.file else "asking the hub")
    file = context.folder / request.file
    try:
        if request.file:
            path = weights.add_local(request.model, file, progress, context.stop)
        else:
            refuse_unusable_proxies()
            path = weights.download(request.model, progress, context.stop)
    except InstallStopped:
        raise Stopped from None
    except CheckpointError:
        _forget_uploaded(file, context.folder)
        raise
    _forget_uploaded(file, context.folder)
    return {"installed": path.name, "size_bytes": path.stat().st_size}


def _forget_uploaded(file: Path, folder: Path) -> None:
    """Gigabytes that nobody asks for again: what was uploaded is installed now, or cannot be."""
    if file.parent == folder:
        file.unlink(missing_ok=True)


INSTALLING = JobKind(
    "installing",
    InstallingRequest,
    install,
    alone="model",
    lost_hint="Resume it: what was downloaded is kept.",
    started_by="avion models download",
    doing="Installing weights",
)

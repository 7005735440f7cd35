"""Towers for the studio's own computations, opened once per process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from avion_core.store.home import Home

if TYPE_CHECKING:
    from avion_core.backbones.towers import Towers


def open_towers(home: Home, name: str) -> Towers:
    """The towers of a catalog name, on the GPU where there is one.

    Raises:
        NotFoundError: no such name, or its weights are not installed.
        CheckpointError: the weights file is not what it should be.
    """
    return _open(home, name, home.weights.path(name))


@lru_cache(maxsize=2)
def _open(home: Home, name: str, _path: Path | None) -> Towers:
    """`_path` is part of the key: weights that were exchanged are opened anew."""
    import torch

    from avion_core.backbones.load import load_towers

    return load_towers(name, home.weights, device="cuda" if torch.cuda.is_available() else "cpu")

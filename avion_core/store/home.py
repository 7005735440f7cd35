"""The home folder: where one installation keeps everything."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from avion_core.store.database import open_database

if TYPE_CHECKING:
    from avion_core.backbones.load import WeightStore
    from avion_core.features.store import FeatureStore


class Home:
    """AVION_HOME, or ~/.avion: the database, and beside it the files that are too large for one.

    features/ and weights/ are kept by content and shared by all projects; projects/ID/ holds a project's manifest and
    frozen splits, runs/ID/ one run's inputs and results.

    Args:
        path: another folder than AVION_HOME names.

    Raises:
        StoreError: on first use, when the folder or the database cannot be used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = Path(path or os.environ.get("AVION_HOME") or "~/.avion").expanduser().absolute()

    @cached_property
    def engine(self) -> Engine:
        return open_database(self.path)

    def forget_database(self) -> None:
        """Open the database again at its next use: its file was replaced."""
        engine = self.__dict__.pop("engine", None)
        if engine is not None:
            engine.dispose()

    @cached_property
    def features(self) -> FeatureStore:
        from avion_core.features.store import FeatureStore  # brings torch along; many commands need none

        return FeatureStore(self.path / "features")

    @cached_property
    def weights(self) -> WeightStore:
        from avion_core.backbones.load import WeightStore

        return WeightStore(self.path / "weights")

    def project_folder(self, project_id: str) -> Path:
        return self.path / "projects" / project_id

    def run_folder(self, run_id: str) -> Path:
        return self.path / "runs" / run_id

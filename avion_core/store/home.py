"""The home folder: where one installation keeps everything, opened for somebody."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from avion_core.actor import Actor
from avion_core.store.database import open_database
from avion_core.store.environment import refuse_unusable_hub

if TYPE_CHECKING:
    from avion_core.backbones.load import WeightStore
    from avion_core.backbones.own_models import OwnModels
    from avion_core.features.store import FeatureStore


class Home:
    """AVION_HOME, or ~/.avion, as somebody has it open: the database, and beside it the files too large for one.

    features/ and weights/ are kept by content and shared by all projects; projects/ID/ holds a project's manifest and
    frozen splits, runs/ID/ one run's inputs and results.

    Every use case takes a home, and so knows on whose behalf it works: nobody can call one as nobody, or hand in a name
    beside it that is not theirs.

    Args:
        path: the folder; None for the one that AVION_HOME names.
        actor: who acts. Rights are asked of them, and what they do carries their name.

    Raises:
        StoreError: HF_ENDPOINT is no address; on first use, when the folder or the database cannot be used.
    """

    def __init__(self, path: Path | None, actor: Actor) -> None:
        refuse_unusable_hub()
        self.actor = actor
        self._folder = _Folder(Path(path or os.environ.get("AVION_HOME") or "~/.avion").expanduser().absolute())

    def acting_as(self, actor: Actor) -> Home:
        """The same open folder, for somebody else."""
        other = Home.__new__(Home)
        other.actor, other._folder = actor, self._folder
        return other

    @property
    def path(self) -> Path:
        return self._folder.path

    @property
    def engine(self) -> Engine:
        return self._folder.engine

    def forget_database(self) -> None:
        """Open the database again at its next use: its file was replaced."""
        self._folder.forget_database()

    @property
    def features(self) -> FeatureStore:
        return self._folder.features

    @property
    def weights(self) -> WeightStore:
        return self._folder.weights

    @property
    def models(self) -> OwnModels:
        """The package's models and the home's own (`models.yaml`)."""
        return self._folder.models

    @property
    def prompts(self) -> Path:
        """Where prompts of one's own are."""
        return self.path / "prompts"

    def project_folder(self, project_id: str) -> Path:
        return self.path / "projects" / project_id

    def run_folder(self, run_id: str) -> Path:
        return self.path / "runs" / run_id


class _Folder:
    """What is opened once, whoever acts."""

    def __init__(self, path: Path) -> None:
        self.path = path

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

        return WeightStore(self.path / "weights", catalog=self.models)

    @cached_property
    def models(self) -> OwnModels:
        from avion_core.backbones.own_models import FILE, OwnModels

        return OwnModels(self.path / FILE)

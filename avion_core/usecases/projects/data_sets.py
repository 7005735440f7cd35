"""Published data sets for whoever makes projects: a copy held against the catalog, and one fetched from a hub."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from avion_core.data import data_sets
from avion_core.data.catalog import DATA_SETS, find_data_set
from avion_core.data.data_sets import Verified
from avion_core.errors import DataError
from avion_core.progress import Progress
from avion_core.store.environment import refuse_unusable_proxies
from avion_core.store.home import Home
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import use_case


@use_case
def verify_data_set(home: Home, folder: Path, name: str | None = None, *, progress: Progress | None = None) -> Verified:
    """What a local copy of a published data set has and lacks.

    Args:
        name: the data set; None takes the one that the folder looks like.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: the catalog has no such data set.
        DataError: no such folder, nothing in it, or it looks like none of the catalog.
    """
    root = nameable(home.actor, folder)
    entry = find_data_set(name) if name else data_sets.recognized(root)
    if entry is None:
        hint = f"Name it with --as: {', '.join(DATA_SETS)}."
        raise DataError("the folder looks like no data set of the catalog", hint, value=str(root))
    return data_sets.verify(root, entry, progress)


@use_case
def get_data_set(
    home: Home, name: str, into: Path, *, progress: Progress | None = None, stop: Event | None = None
) -> Path:
    """Fetch a published data set from the hub that carries it (see `data.data_sets.get`); returns its class folders.

    Raises:
        RightsError: a path that is not theirs to name.
        NotFoundError: the catalog has no such data set, or no hub is known to carry it.
        DataError: it cannot be fetched, or was stopped: what is there is gone on with by the next call.
    """
    root = nameable(home.actor, into)
    entry = find_data_set(name)
    refuse_unusable_proxies()
    return data_sets.get(entry, root, progress, stop, endpoint=home.weights.endpoint)

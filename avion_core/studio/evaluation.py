"""Evaluation: how good a trained student is."""

from __future__ import annotations

import json
import os
from typing import Any

from avion_core.data.progress import Progress
from avion_core.errors import DataError
from avion_core.protocols.evaluate import evaluate
from avion_core.protocols.project_data import ProjectData
from avion_core.store.database import writing
from avion_core.store.home import Home
from avion_core.store.tables import Look
from avion_core.studio.trained import run_device, trained_run
from avion_core.studio.training import get_run


def evaluate_run(
    home: Home, run: str, split: str = "validation", who: str = "me", *, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure a trained run (see `protocols.evaluate`); the figures are kept in its folder as well.

    Args:
        split: "validation", or "test": the sealed set. Asking for it is written down as a look by `who`, before any
            figure is made; `looks` in the answer counts them.

    Raises:
        NotFoundError: no such run.
        TrainingError: it has not been trained yet.
        DataError: no such split, or no images in it.
    """
    if split not in ("validation", "test"):
        raise DataError("there is no such split", "Choose validation or test.", value=split)
    view = trained_run(home, run)
    if split == "test":
        with writing(home.engine) as session:
            session.add(Look(run_id=view.id, who=who))
    figures = evaluate(
        ProjectData.load(view.folder / "inputs"),
        view.config,
        view.folder,
        split,
        features=home.features,
        weights=home.weights,
        device=run_device(view),
        progress=progress,
    )
    result = {"run_id": view.id, "state": view.state, "looks": get_run(home, view.id).looks, **figures}
    unfinished = view.folder / f"results-{split}.json.part"
    unfinished.write_text(json.dumps(result), encoding="utf-8")
    os.replace(unfinished, view.folder / f"results-{split}.json")
    return result

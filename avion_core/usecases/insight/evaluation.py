"""Evaluation: how good a trained student is, what it gets wrong, and what changed against another."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from sqlalchemy import select

from avion_core.errors import DataError
from avion_core.files import write_json
from avion_core.jobs.inputs import run_inputs
from avion_core.metrics.accuracy import paired_change
from avion_core.metrics.calibration import reliability
from avion_core.progress import Progress
from avion_core.protocols.evaluate import evaluate
from avion_core.protocols.published import PublishedFigure, published_figures
from avion_core.store import journal
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.tables import Look
from avion_core.usecases.policies import UNSEAL, demand_of
from avion_core.usecases.runs.trained import run_device, trained_run
from avion_core.usecases.runs.training import get_run

SPLITS = ("validation", "test")


def evaluate_run(
    home: Home, run: str, split: str = "validation", who: str = "me", *, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure a trained run (see `protocols.evaluate`); the figures are kept in its folder as well.

    Args:
        split: "validation", or "test": the sealed set. Asking for it is written down as a look by `who`, before any
            figure is made; `looks` in the answer counts them.

    Raises:
        NotFoundError: no such run.
        RightsError: `who` may not open the sealed set.
        TrainingError: it has not been trained yet.
        DataError: no such split, or no images in it.
    """
    _check_split(split)
    if split == "test":
        demand_of(home, who, UNSEAL)
    view = trained_run(home, run)
    if split == "test":
        with writing(home.engine) as session:
            session.add(Look(run_id=view.id, who=who))
            journal.note(session, view.project_id, "training", f"Looked at the sealed test set with {view.name}", who)
    figures = evaluate(
        run_inputs(home, view.id),
        view.config,
        view.folder,
        split,
        features=home.features,
        weights=home.weights,
        device=run_device(view),
        progress=progress,
    )
    looks = get_run(home, view.id).looks
    result = {"run_id": view.id, "state": view.state, "step": view.step, "looks": looks, **figures}
    write_json(view.folder / f"results-{split}.json", result)
    return result


def kept_results(home: Home, run: str, split: str) -> dict[str, Any] | None:
    """What `evaluate_run` measured of the run's present student, or None. Reading it is no look of its own."""
    _check_split(split)
    view = get_run(home, run)
    path = view.folder / f"results-{split}.json"
    if not path.is_file():
        return None
    result = json.loads(path.read_text(encoding="utf-8"))
    return result if result["step"] == view.step else None


def looks(home: Home, run: str) -> pd.DataFrame:
    """Who asked for figures of the sealed test set, and when; the newest first."""
    with reading(home.engine) as session:
        found = session.scalars(select(Look).where(Look.run_id == get_run(home, run).id).order_by(Look.id.desc()))
        return pd.DataFrame([{"who": look.who, "when": look.created_at} for look in found], columns=["who", "when"])


def pictures(home: Home, run: str, image_ids: Sequence[str]) -> list[Path]:
    """The files of images that a run was measured on, in the order given.

    Raises:
        DataError: an id that is not the run's.
    """
    return run_inputs(home, get_run(home, run).id).images(list(image_ids)).files


def parts(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The sets of classes that were measured apart: {"all": ...}, or {"base": ..., "novel": ...}."""
    return {name: result[name] for name in ("base", "novel")} if "base" in result else {"all": result}


def reliability_table(part: dict[str, Any]) -> pd.DataFrame:
    """What the reliability diagram of a measured part shows (see `metrics.calibration.reliability`)."""
    rows = pd.DataFrame(part["predictions"])
    return reliability(torch.tensor(rows["probability"]), torch.tensor(rows["correct"]))


@dataclass(frozen=True)
class Change:
    """A student against a baseline on the images that both were measured on.

    total: (change, low, high) over all of them, in percentage points with a 95 % interval for pairs.
    per_class: class_key, images, before, after (percent), change, low, high; NaN for a class without common images.
    images, of: how many images both were measured on, of how many that the student was measured on.
    """

    total: tuple[float, float, float]
    per_class: pd.DataFrame
    images: int
    of: int


def change(part: dict[str, Any], baseline: dict[str, Any] | None = None) -> Change:
    """What a student gets right that a baseline got wrong, and the other way round, class by class.

    Args:
        part: a measured part of a run (see `parts`).
        baseline: the same part of another run, or None for the untrained student (zero-shot).
    """
    rows = pd.DataFrame(part["predictions"]).set_index("image_id")
    if baseline is None:
        before = rows["zero_shot"] == rows["class_key"]
    else:
        before = pd.DataFrame(baseline["predictions"]).set_index("image_id")["correct"]
    common = rows[rows.index.isin(before.index)].assign(before=lambda table: before.loc[table.index])
    table = []
    for key in part["class_keys"]:
        of_class = common[common["class_key"] == key]
        points, low, high = _paired(of_class)
        shares = {name: 100 * of_class[column].mean() for name, column in (("before", "before"), ("after", "correct"))}
        table.append({"class_key": key, "images": len(of_class), **shares, "change": points, "low": low, "high": high})
    return Change(_paired(common), pd.DataFrame(table), len(common), len(rows))


def published(home: Home, run: str) -> dict[str, PublishedFigure]:
    """The paper's figures that may stand beside this run's, by the names of `evaluate_run`; mostly none."""
    view = get_run(home, run)
    inputs = run_inputs(home, view.id)
    return published_figures(view.config, inputs.class_names, len(inputs.manifest))


def _paired(rows: pd.DataFrame) -> tuple[float, float, float]:
    if rows.empty:
        return math.nan, math.nan, math.nan
    return paired_change(torch.tensor(rows["before"].to_numpy(bool)), torch.tensor(rows["correct"].to_numpy(bool)))


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise DataError("there is no such split", "Choose validation or test.", value=split)

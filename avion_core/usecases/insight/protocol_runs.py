"""A project's runs together: accuracy over shots, and base-to-novel over seeds (docs/method.md section 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from avion_core.config import RunConfig
from avion_core.metrics.accuracy import harmonic_mean
from avion_core.store.home import Home
from avion_core.usecases.insight.evaluation import kept_results
from avion_core.usecases.projects.projects import read_splits
from avion_core.usecases.runs.training import RunView, get_run, list_runs

SHOTS = (1, 2, 4, 8, 16)
FEW_SHOT_METHODS = ("accuracy", "class_mean_text_accuracy", "linear_probe_accuracy", "teacher_prototype_accuracy")
BASE_TO_NOVEL = tuple(
    f"{prefix}{figure}"
    for prefix in ("", "zero_shot_")
    for figure in ("base_accuracy", "novel_accuracy", "harmonic_mean")
)


@dataclass(frozen=True)
class FewShotCurve:
    """Accuracy over shots, from runs that differ in shots and seed alone.

    points: method, shots, seed, run_id, accuracy; a row per figure that was measured.
    curve: method, shots, mean, deviation (over seeds, n - 1; NaN for a single one), seeds.
    missing: (shots, seed) that no finished run has. unmeasured: finished runs without figures of this split.
    """

    points: pd.DataFrame
    curve: pd.DataFrame
    missing: list[tuple[int, int]]
    unmeasured: list[str]


@dataclass(frozen=True)
class BaseToNovel:
    """Base, novel and harmonic mean over seeds, from runs that differ in the seed alone.

    rows: seed, run_id and the figures of BASE_TO_NOVEL (NaN where they were not measured).
    mean: the figures' means over seeds; a harmonic mean is that of the means, as the literature has it.
    missing: seeds that no finished run has. unmeasured: finished runs without figures of this split.
    """

    rows: pd.DataFrame
    mean: dict[str, float]
    missing: list[int]
    unmeasured: list[str]


def few_shot_curve(home: Home, run: str, split: str = "validation") -> FewShotCurve:
    """The curve that a few-shot run belongs to.

    Of the same shots and seed the newest run counts. On validation AVION's own accuracy is known from training;
    everything else, and the test set, counts where a run was measured. Reading the figures is no look.
    """
    chosen = get_run(home, run)
    siblings = {(sibling.config.data.shots, sibling.config.data.seed): sibling for sibling in _siblings(home, chosen)}
    points, unmeasured = [], []
    for (shots, seed), sibling in siblings.items():
        figures = kept_results(home, sibling.id, split)
        if figures is None:
            unmeasured.append(sibling.id)
            figures = {"accuracy": sibling.accuracy} if split == "validation" else {}
        for method in FEW_SHOT_METHODS:
            if figures.get(method) is not None:
                where = {"method": method, "shots": shots, "seed": seed, "run_id": sibling.id}
                points.append({**where, "accuracy": figures[method]})
    table = pd.DataFrame(points, columns=["method", "shots", "seed", "run_id", "accuracy"])
    by_shots = table.groupby(["method", "shots"], sort=True)["accuracy"]
    curve = by_shots.agg(mean="mean", deviation="std", seeds="count").reset_index()
    splits = read_splits(home, chosen.project_id)
    wanted = [(shots, seed) for shots in SHOTS if shots <= splits.max_shots for seed in sorted(splits.train)]
    return FewShotCurve(table, curve, [pair for pair in wanted if pair not in siblings], unmeasured)


def base_to_novel(home: Home, run: str, split: str = "validation") -> BaseToNovel:
    """The table that a base-to-novel run belongs to. Of the same seed the newest run counts."""
    chosen = get_run(home, run)
    siblings = {
        sibling.config.data.seed: sibling
        for sibling in _siblings(home, chosen)
        if sibling.config.data.shots == chosen.config.data.shots
    }
    rows, unmeasured = [], []
    for seed, sibling in sorted(siblings.items()):
        figures = kept_results(home, sibling.id, split)
        if figures is None:
            unmeasured.append(sibling.id)
        figures = figures or {}
        rows.append({"seed": seed, "run_id": sibling.id, **{name: figures.get(name) for name in BASE_TO_NOVEL}})
    table = pd.DataFrame(rows, columns=["seed", "run_id", *BASE_TO_NOVEL]).astype(dict.fromkeys(BASE_TO_NOVEL, float))
    mean = {name: float(table[name].mean()) for name in BASE_TO_NOVEL}
    for prefix in ("", "zero_shot_"):
        base, novel = mean[f"{prefix}base_accuracy"], mean[f"{prefix}novel_accuracy"]
        mean[f"{prefix}harmonic_mean"] = math.nan if math.isnan(base + novel) else harmonic_mean(base, novel)
    seeds = sorted(read_splits(home, chosen.project_id).train)
    return BaseToNovel(table, mean, [seed for seed in seeds if seed not in siblings], unmeasured)


def _siblings(home: Home, run: RunView) -> list[RunView]:
    """Finished runs of the same project and settings but for shots, seed and device; the oldest first."""
    found = [other for other in list_runs(home, run.project_id) if other.state == "finished"]
    return [other for other in reversed(found) if _method(other.config) == _method(run.config)]


def _method(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"data": None, "device": None})

"""How far validation figures can be trusted: how near the images they are made on lie to the training shots.

Neighbouring tiles leak through any split that does not know them as neighbours (docs/method.md section 7). Nearness is
the cosine to the nearest training shot in the student's own embeddings, before training. Of the sealed test images only
that is taken, without labels and without a prediction.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan, sqrt

import pandas as pd

from avion_core.data.splits import draw_rank
from avion_core.methods.method import Task
from avion_core.metrics.accuracy import wilson_interval
from avion_core.protocols.protocol import Part
from avion_core.protocols.report import FIGURES, Report

FAR_ACCURACY = "far_accuracy"
"""Accuracy on the half of the validation images that lies farthest from every shot."""
FARTHER_TEST_SHARE = "farther_test_share"
"""Percent of the test images that lie farther from every shot than the median validation image; 50 in a fair split."""

_TEST_IMAGES = 200  # a share of that many is known to 7 points; more would be embedded for this figure alone


def with_nearness(report: Report, task: Task, parts: Sequence[Part]) -> Report:
    """A report on validation images with FAR_ACCURACY of every method, and FARTHER_TEST_SHARE in the run's own rows."""
    shots, config = task.shots.image_ids, task.config
    of_own = [part for part in parts if part.trained and part.project is task.project and shots]
    if not of_own:
        return report
    towers = task.bench.towers("student")
    taught = task.bench.see(towers, task.project, shots)  # (S, D)

    def nearness(image_ids: Sequence[str]) -> pd.Series:
        seen = task.bench.see(towers, task.project, image_ids)  # (N, D)
        return pd.Series((seen @ taught.T).max(dim=1).values.tolist(), index=list(image_ids))

    rows: list[dict[str, object]] = []
    for part in of_own:
        near = nearness(part.images(config, "validation").image_ids)
        far = set(near.index[near <= near.median()])
        said = report.predictions[report.predictions["part"] == part.name]
        for (method, model), of in said[said["image_id"].isin(far)].groupby(["method", "model"], sort=False):
            right, count = int((of["predicted"] == of["class_key"]).sum()), len(of)
            low, high = wilson_interval(right, count)
            figure = {"value": 100 * right / count, "low": low, "high": high, "interval": "Wilson", "n": count}
            rows.append(_row(report, part, FAR_ACCURACY, figure, str(method), str(model)))
        sealed = sorted(part.images(config, "test").image_ids, key=draw_rank)[:_TEST_IMAGES]
        if sealed:
            share = float((nearness(sealed) < near.median()).mean())
            # Both sides are samples: the median of the validation images is as uncertain as the share above it.
            reach = 1.96 * sqrt(0.25 / len(sealed) + 0.25 / len(near))
            low, high = (100 * min(1, max(0, share + side)) for side in (-reach, reach))
            figure = {"value": 100 * share, "low": low, "high": high, "interval": "normal", "n": len(sealed)}
            rows.append(_row(report, part, FARTHER_TEST_SHARE, figure, report.method, report.model))
    added = pd.DataFrame(rows, columns=list(FIGURES)).astype(report.figures.dtypes.to_dict())
    return replace(report, figures=pd.concat([report.figures, added], ignore_index=True))


def _row(
    report: Report, part: Part, metric: str, figure: Mapping[str, object], method: str, model: str
) -> dict[str, object]:
    first = report.figure(part.name, "accuracy", method, model) or {}
    kept = {"seconds": first.get("seconds", nan), "parameters": first.get("parameters", 0)}
    return {"method": method, "model": model, "part": part.name, "metric": metric, **figure, **kept}

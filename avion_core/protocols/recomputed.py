"""Figures of a report computed again from what was said of each image: without images, weights or training.

Calibration, nearness and recalls are made from logits and embeddings, which a report does not keep.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import Any

import pandas as pd
import torch

from avion_core.metrics.accuracy import confusion, macro_accuracy, macro_f1
from avion_core.protocols import find_protocol
from avion_core.protocols.report import OVERALL, Report

COLUMNS = ("method", "model", "part", "metric", "value", "n")


def recomputed(report: Report) -> pd.DataFrame:
    """Columns COLUMNS: accuracy, macro accuracy and macro F1 of every part, and the protocol's summary; percent."""
    rows: list[dict[str, Any]] = []
    parts = {part.name: part.classes for part in report.parts}
    for (method, model), of in report.predictions.groupby(["method", "model"], sort=False):
        where = {"method": method, "model": model}
        accuracies: dict[str, float] = {}
        images = 0
        for name, said in of.groupby("part", sort=False):
            place = {key: number for number, key in enumerate(parts[str(name)])}
            told, labels = (torch.tensor(said[column].map(place).to_numpy()) for column in ("predicted", "class_key"))
            matrix = confusion(told, labels, len(place))
            accuracies[str(name)] = 100 * (told == labels).double().mean().item()
            figures = {
                "accuracy": accuracies[str(name)],
                "macro_accuracy": macro_accuracy(matrix),
                "macro_f1": macro_f1(matrix),
            }
            rows += [{**where, "part": name, "metric": key, "value": v, "n": len(said)} for key, v in figures.items()]
            images += len(said)
        if len(accuracies) == len(parts):
            summary = find_protocol(report.protocol).summary(accuracies)
            rows += [{**where, "part": OVERALL, "metric": key, "value": v, "n": images} for key, v in summary.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))

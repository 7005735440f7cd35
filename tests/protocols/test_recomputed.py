"""Figures from predictions alone are those that were measured from logits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from avion_core.metrics.harmonic import harmonic_mean
from avion_core.protocols.recomputed import recomputed
from avion_core.protocols.report import FIGURES, PREDICTIONS, MeasuredPart, Report


def test_against_scikit_learn_on_both_halves_of_the_classes() -> None:
    random = np.random.default_rng(3)
    parts = {"base": ["a", "b", "c"], "novel": ["d", "e"]}
    rows, expected = [], {}
    for part, classes in parts.items():
        truth = random.choice(classes, 60)
        said = np.where(random.random(60) < 0.6, truth, random.choice(classes, 60))
        rows += [
            ("coop", "student", part, str(i), t, s, 0.5, 0.5) for i, (t, s) in enumerate(zip(truth, said, strict=True))
        ]
        expected[part, "accuracy"] = 100 * (truth == said).mean()
        expected[part, "macro_accuracy"] = 100 * balanced_accuracy_score(truth, said)
        expected[part, "macro_f1"] = 100 * f1_score(truth, said, average="macro")
    measured = [MeasuredPart(name, name, "scenes", classes, name == "base") for name, classes in parts.items()]
    report = Report(
        pd.DataFrame(columns=list(FIGURES)), pd.DataFrame(rows, columns=list(PREDICTIONS)), "coop", "student",
        "base-to-novel", "test", 16, 1, measured, {},
    )  # fmt: skip
    found = {(row["part"], row["metric"]): row["value"] for row in recomputed(report).to_dict("records")}
    harmonic = harmonic_mean(expected["base", "accuracy"], expected["novel", "accuracy"])
    assert found == pytest.approx({**expected, ("overall", "harmonic_mean"): harmonic})
    assert set(recomputed(report)["n"]) == {60, 120}


def test_nothing_follows_from_no_predictions() -> None:
    empty = pd.DataFrame(columns=list(PREDICTIONS))
    report = Report(
        pd.DataFrame(columns=list(FIGURES)), empty, "avion", "student", "retrieval", "test", 16, 1, [], {}
    )  # fmt: skip
    assert recomputed(report).empty

"""Agreement between reviewers beyond chance."""

from __future__ import annotations

import krippendorff
import numpy as np
from sklearn.metrics import cohen_kappa_score  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]


def cohen_kappa(a: np.ndarray, b: np.ndarray) -> float | None:
    """Cohen's kappa of two reviewers over the same items: 1 is perfect, 0 what chance gives.

    Args:
        a, b: (N,) labels, N >= 1.

    Returns:
        None when both give one and the same label to everything: nothing can be told from chance then.
    """
    if len(np.union1d(a, b)) < 2:
        return None
    return float(cohen_kappa_score(a, b))


def krippendorff_alpha(labels: np.ndarray) -> float | None:
    """Krippendorff's alpha, nominal, for any number of reviewers who need not judge everything.

    Args:
        labels: (reviewers, items), NaN where a reviewer did not judge.

    Returns:
        None when no item has two labels, or all labels are the same: nothing can be told from chance then.
    """
    shared = labels[:, (~np.isnan(labels)).sum(axis=0) >= 2]
    values = np.unique(shared[~np.isnan(shared)])
    if len(values) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=shared, level_of_measurement="nominal"))

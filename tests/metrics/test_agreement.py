from __future__ import annotations

import numpy as np
import pytest

from avion_core.metrics.agreement import cohen_kappa, krippendorff_alpha

NONE = np.nan


def test_kappa_of_a_worked_example():
    """20 accepted by both, 15 rejected by both, 5 and 10 otherwise: p_o = 0.7, p_e = 0.5."""
    a = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    b = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert cohen_kappa(a, b) == pytest.approx(0.4)
    assert cohen_kappa(a, a) == 1.0


def test_alpha_of_krippendorffs_own_example():
    """Four observers, twelve units, some of them missing (Krippendorff, Computing Alpha-Reliability, 2011)."""
    labels = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
            [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
        ]
    )
    assert krippendorff_alpha(labels) == pytest.approx(0.743, abs=5e-4)


def test_one_label_alone_tells_nothing_from_chance():
    assert cohen_kappa(np.ones(4), np.ones(4)) is None
    assert krippendorff_alpha(np.ones((3, 4))) is None
    assert krippendorff_alpha(np.array([[1.0, NONE], [NONE, 0.0]])) is None

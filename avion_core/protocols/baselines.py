"""What AVION must be compared with: same images, same template, same backbone (docs/method.md section 7).

Each works on unit-norm features; none sees more labels than the run itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import normalize

from avion_core.prototypes.text_prototypes import visual_prototypes

INVERSE_PENALTIES = (1.0, 10.0, 100.0, 1000.0)


def class_mean(features: Tensor, labels: Tensor, classes: Sequence[str], text: Tensor | None = None) -> Tensor:
    """Class weights without training: v_c, or normalize(v_c + g_c) with the class text added.

    Args:
        features: (N, D) training images. labels: (N,) positions in `classes`. text: (C, D) class texts.

    Returns:
        (C, D) float32, unit norm.
    """
    means = visual_prototypes(features, labels, classes)
    return means if text is None else normalize(means + text, dim=1)


def linear_probe(
    features: Tensor, labels: Tensor, validation: Tensor, validation_labels: Tensor, test: Tensor
) -> Tensor:
    """Predictions (T,) of a logistic regression on frozen features.

    The strength of its penalty is chosen on the validation images (the run's own, min(K, 4) a class);
    without validation images it is C = 100.

    Args:
        features, validation, test: (N, D), (V, D), (T, D). labels, validation_labels: (N,), (V,).
    """
    if len(set(labels.tolist())) < 2:
        return labels[:1].expand(len(test)).clone()
    best, chosen = -1.0, None
    for penalty in INVERSE_PENALTIES if len(validation) else (100.0,):
        probe = LogisticRegression(C=penalty, max_iter=300)
        with warnings.catch_warnings():
            # A nearly unpenalized fit on separable data has no finite optimum; the last iterate serves.
            warnings.simplefilter("ignore", ConvergenceWarning)
            # One image a class is what a 1-shot run has.
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            probe.fit(features.numpy(), labels.numpy())
        score = probe.score(validation.numpy(), validation_labels.numpy()) if len(validation) else 0.0
        if score > best:
            best, chosen = score, probe
    assert chosen is not None
    return torch.from_numpy(chosen.predict(test.numpy())).long()

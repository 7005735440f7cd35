"""Linear probe: a logistic regression on frozen features (Radford et al., 2021)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from avion_core.methods.frozen import Frozen
from avion_core.methods.method import Task

INVERSE_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
USUAL = 100.0
"""The inverse penalty where no image may choose it."""
NEVER = -1e4
"""The bias of a class without a training image: never said, and finite."""


class LinearProbe(Frozen):
    """W and b of a logistic regression. Its penalty is chosen by the mean log-likelihood of the selection images.

    Accuracy would choose by ties: a 1-shot run has one validation image a class.
    """

    name = "linear_probe"
    title = "linear probe"
    what = "A linear classifier trained on frozen image features."
    source = "Radford et al., 2021"
    drawn = ("student",)

    def solve(self, task: Task) -> tuple[Tensor, Tensor]:
        train, chosen_on = (
            (self.bench.see(self.towers, task.project, part.image_ids).cpu(), torch.tensor(part.labels).long())
            for part in (task.shots, task.selection)
        )
        return fit_probe(*train, *chosen_on, len(task.classes))

    @property
    def trained_parameters(self) -> int:
        return self.weights.numel() + self.bias.numel()


def fit_probe(
    features: Tensor, labels: Tensor, selection: Tensor, selection_labels: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """W (C, D) and b (C,) of the probe under which the selection images are likeliest.

    Args:
        features, labels: (N, D) and (N,), the training images. selection, selection_labels: (V, D) and (V,); V may
            be 0, and the inverse penalty is then USUAL.
        classes: C.
    """
    found: list[tuple[float, Tensor, Tensor]] = []
    for penalty in INVERSE_PENALTIES if len(selection) else (USUAL,):
        weights, bias = _fitted(features, labels, penalty, classes)
        likelihood = 0.0
        if len(selection):
            logs = (selection.double() @ weights.double().T + bias.double()).log_softmax(1)
            likelihood = logs.gather(1, selection_labels[:, None]).mean().item()
        found.append((likelihood, weights, bias))
    _, weights, bias = max(found, key=lambda entry: entry[0])
    return weights, bias


def _fitted(features: Tensor, labels: Tensor, penalty: float, classes: int) -> tuple[Tensor, Tensor]:
    weights, bias = torch.zeros(classes, features.shape[1]), torch.full((classes,), NEVER)
    present = labels.unique()
    if len(present) < 2:
        bias[present] = 0.0
        return weights, bias
    probe = LogisticRegression(C=penalty, max_iter=300)
    with warnings.catch_warnings():
        # A nearly unpenalized fit on separable data has no finite optimum; the last iterate serves.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # One image a class is what a 1-shot run has.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        probe.fit(features.numpy(), labels.numpy())
    learnt, shift = torch.from_numpy(probe.coef_).float(), torch.from_numpy(probe.intercept_).float()
    if len(present) == 2:  # scikit-learn gives two classes one row, the second class's
        learnt, shift = torch.cat([torch.zeros_like(learnt), learnt]), torch.cat([torch.zeros_like(shift), shift])
    weights[present], bias[present] = learnt, shift
    return weights, bias

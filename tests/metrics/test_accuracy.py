from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from avion_core.errors import DataError
from avion_core.metrics.accuracy import (
    accuracy,
    confusion,
    macro_accuracy,
    macro_f1,
    paired_change,
    per_class,
    wilson_interval,
)
from avion_core.metrics.harmonic import harmonic_mean

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
@given(pairs)
def test_the_figures_are_sklearns(drawn: list[tuple[int, int]]) -> None:
    predictions, labels = (list(column) for column in zip(*drawn, strict=True))
    matrix = confusion(torch.tensor(predictions), torch.tensor(labels), 4)
    np.testing.assert_array_equal(matrix, confusion_matrix(labels, predictions, labels=range(4)))
    assert accuracy(matrix) == pytest.approx(100 * accuracy_score(labels, predictions))
    assert macro_accuracy(matrix) == pytest.approx(100 * balanced_accuracy_score(labels, predictions))
    assert macro_f1(matrix) == pytest.approx(100 * f1_score(labels, predictions, average="macro"))


@given(st.integers(1, 500).flatmap(lambda images: st.tuples(st.integers(0, images), st.just(images))))
def test_the_interval_is_scipys_wilson(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert wilson_interval(*counts) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_per_class() -> None:
    matrix = confusion([0, 0, 1, 0], [0, 0, 1, 1], 3)
    table = per_class(matrix, ["a", "b", "c"]).set_index("class_key")
    assert table["images"].tolist() == [2, 2, 0]
    assert table.loc["a", ["correct", "accuracy", "precision", "f1"]].tolist() == pytest.approx([2, 100, 200 / 3, 80])
    assert table.loc["b", ["correct", "accuracy", "precision", "f1"]].tolist() == pytest.approx([1, 50, 100, 200 / 3])
    assert table.loc["c", ["accuracy", "low", "high", "precision", "f1"]].isna().all()
    assert (table["low"][:2] <= table["accuracy"][:2]).all()
    assert (table["accuracy"][:2] <= table["high"][:2]).all()


def test_classes_without_images_do_not_pull_the_mean_down() -> None:
    matrix = confusion([0, 1], [0, 1], 5)
    assert (macro_accuracy(matrix), macro_f1(matrix)) == (100.0, 100.0)


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([0, 1], [0], r"do not fit together: \(2,\) and \(1,\)\. Give one prediction"),
        ([], [], r"do not fit together: \(0,\) and \(0,\)\. Give one prediction"),
        ([0, 3], [0, 1], r"A class position is out of range: 3\. Positions go from 0 to 2\."),
        ([0, 1], [0, -1], r"A class position is out of range: -1\. Positions go from 0 to 2\."),
    ],
)
def test_what_cannot_be_counted_is_refused(predictions, labels, message: str) -> None:
    with pytest.raises(DataError, match=message):
        confusion(predictions, labels, 3)


@given(st.floats(0, 100), st.floats(0, 100))
def test_harmonic_mean(base: float, novel: float) -> None:
    found = harmonic_mean(base, novel)
    assert found == harmonic_mean(novel, base)
    assert found == 0.0 if min(base, novel) == 0 else found > 0 or math.isclose(found, 0)
    assert found <= (base + novel) / 2 + 1e-9


def test_harmonic_mean_of_the_paper_s_figures() -> None:
    assert harmonic_mean(95.56, 79.94) == pytest.approx(87.05, abs=0.01)
    assert harmonic_mean(60.0, 30.0) == pytest.approx(40.0)


def test_a_paired_change_by_hand() -> None:
    change, low, high = paired_change(torch.tensor([1, 1, 0, 0, 0]), torch.tensor([1, 0, 1, 1, 1]))
    assert change == pytest.approx(40.0)  # three gained, one lost, of five
    # Agresti and Min: 3.5 and 1.5 of 7
    assert (low + high) / 2 == pytest.approx(100 * 2 / 7)
    assert high - low == pytest.approx(200 * 1.959964 * math.sqrt(5 / 7 - (2 / 7) ** 2) / math.sqrt(7))
    assert all(map(math.isnan, paired_change(torch.empty(0), torch.empty(0))))


@pytest.mark.parametrize(("images", "gain", "loss"), [(20, 0.2, 0.1), (50, 0.05, 0.05), (200, 0.1, 0.02)])
def test_the_interval_of_a_change_holds_what_it_promises(images: int, gain: float, loss: float) -> None:
    draws = np.random.default_rng(7).choice(3, p=[gain, loss, 1 - gain - loss], size=(600, images))
    inside = 0
    for draw in torch.from_numpy(draws):
        _, low, high = paired_change(draw == 1, draw == 0)
        inside += low <= 100 * (gain - loss) <= high
    assert inside / len(draws) > 0.93


def test_a_change_between_different_images_is_refused() -> None:
    with pytest.raises(DataError, match=r"A change is measured on the same images: 2 and 3\. Give both"):
        paired_change(torch.zeros(2), torch.zeros(3))

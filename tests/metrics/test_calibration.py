from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avion_core.errors import DataError
from avion_core.metrics.calibration import FEWEST_TO_FIT, expected_calibration_error, fit_temperature, reliability


def test_by_hand() -> None:
    # Two in the bin (0.6, 0.8], mean confidence 0.7, one right; two in (0.8, 1.0], mean confidence 0.95, both right.
    probabilities = torch.tensor([[0.65, 0.35], [0.75, 0.25], [0.9, 0.1], [0.0, 1.0]])
    found = expected_calibration_error(probabilities, torch.tensor([0, 1, 0, 1]), bins=5)
    assert found == pytest.approx(100 * (0.5 * 0.2 + 0.5 * 0.05), abs=1e-4)


@given(st.integers(0, 1000), st.integers(1, 20))
def test_equal_to_going_bin_by_bin(seed: int, bins: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = (3 * torch.randn(50, 4, generator=generator, dtype=torch.float64)).softmax(1)
    labels = torch.randint(0, 4, (50,), generator=generator)
    confidence, prediction = probabilities.max(1)
    total = 0.0
    for index in range(bins):
        inside = (confidence > index / bins) & (confidence <= (index + 1) / bins)
        if inside.any():
            right = (prediction == labels)[inside].double().mean()
            total += inside.double().mean().item() * abs(right - confidence[inside].mean()).item()
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(100 * total, abs=1e-9)


def test_certain_and_right_or_wrong() -> None:
    certain = torch.eye(3)
    assert expected_calibration_error(certain, torch.tensor([0, 1, 2])) == 0.0
    assert expected_calibration_error(certain, torch.tensor([1, 2, 0])) == 100.0


@pytest.mark.parametrize("rows", [torch.zeros(0, 3), torch.tensor([[2.0, 1.0]]), torch.tensor([[float("nan"), 1.0]])])
def test_logits_are_refused(rows: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"^These are not probabilities\. Give at least one row, each summing to 1"):
        expected_calibration_error(rows, torch.zeros(len(rows)))


def test_the_reliability_table_counts_each_image_once() -> None:
    table = reliability(torch.tensor([0.05, 0.5, 0.55, 1.0]), torch.tensor([True, False, True, True]), bins=2)
    assert table[["from", "to", "images", "confidence", "accuracy"]].values.tolist() == [
        [0.0, 0.5, 2, pytest.approx(27.5), 50.0],
        [0.5, 1.0, 2, pytest.approx(77.5), 100.0],
    ]
    assert (table["low"] < table["accuracy"]).all()
    assert reliability(torch.tensor([1.0]), torch.tensor([True]), bins=2)["accuracy"].isna().tolist() == [True, False]


@given(st.integers(0, 1000), st.floats(0.2, 5))
def test_a_known_temperature_is_found(seed: int, temperature: float) -> None:
    """Labels drawn from softmax(logits): logits that were made sharper by T need just that T."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4000, 5, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    assert fit_temperature(temperature * logits, labels) == pytest.approx(temperature, rel=0.2)


def test_the_fit_is_where_the_likelihood_is_highest() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (60,), generator=generator)
    logits = 5 * torch.randn(60, 4, generator=generator) + 6 * torch.nn.functional.one_hot(labels, 4)
    best = fit_temperature(logits, labels)
    assert best is not None
    loss = {t: torch.nn.functional.cross_entropy(logits / t, labels).item() for t in (0.9 * best, best, 1.1 * best)}
    assert min(loss, key=loss.__getitem__) == best


def test_too_few_images_or_no_mistake_give_no_temperature() -> None:
    certain = torch.eye(4).repeat(20, 1)
    labels = torch.arange(4).repeat(20)
    assert fit_temperature(certain, labels) is None
    labels[0] = 1
    assert fit_temperature(certain, labels) is not None
    assert fit_temperature(certain[: FEWEST_TO_FIT - 1], labels[: FEWEST_TO_FIT - 1]) is None

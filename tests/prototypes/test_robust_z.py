from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from avion_core.errors import PrototypeError
from avion_core.prototypes.robust_z import past_cut, robust_z

MODES = ("paper", "scaled", "low_side")
scores = st.lists(st.integers(-100, 100), min_size=1, max_size=25).map(lambda values: np.array(values) / 100)
modes = st.sampled_from(MODES)
zetas = st.sampled_from((0.5, 1.0, 3.0))


@given(scores, modes)
def test_median_and_mad_are_scipys(values: np.ndarray, mode) -> None:
    found = robust_z(values, mode)
    assert found.median == pytest.approx(np.median(values))
    assert found.mad == pytest.approx(float(median_abs_deviation(values)), abs=1e-6)


@given(scores.filter(lambda values: median_abs_deviation(values) > 1e-3))
def test_z_is_the_paper_s_formula_and_scaled_is_in_sigmas(values: np.ndarray) -> None:
    z = np.abs(values - np.median(values)) / (median_abs_deviation(values) + 1e-8)
    np.testing.assert_allclose(robust_z(values, "paper").z, z)
    np.testing.assert_allclose(robust_z(values, "low_side").z, z)
    np.testing.assert_allclose(robust_z(values, "scaled").z, 0.6745 * z)


def test_scaled_z_measures_a_normal_in_standard_deviations() -> None:
    values = np.random.default_rng(0).normal(0.3, 0.02, 20001)
    z = robust_z(values, "scaled").z
    np.testing.assert_allclose(z, np.abs(values - 0.3) / 0.02, atol=0.15)


@given(scores, modes, st.randoms())
def test_order_does_not_matter(values: np.ndarray, mode, random) -> None:
    order = np.array(random.sample(range(len(values)), len(values)))
    there, here = robust_z(values[order], mode), robust_z(values, mode)
    np.testing.assert_array_equal(there.z, here.z[order])
    np.testing.assert_array_equal(there.kept, here.kept[order])


@given(scores, modes, st.floats(0.5, 20), st.floats(-5, 5))
def test_scale_and_shift_do_not_matter(values: np.ndarray, mode, factor: float, shift: float) -> None:
    assume(median_abs_deviation(values) > 1e-3)
    np.testing.assert_allclose(
        robust_z(factor * values + shift, mode).z, robust_z(values, mode).z, rtol=1e-3, atol=1e-9
    )


@given(scores, modes, st.floats(1, 10))
def test_z_alone_cannot_cut_everything(values: np.ndarray, mode, zeta: float) -> None:
    assert robust_z(values, mode, zeta).kept.sum() * 2 >= len(values)


@given(scores, st.floats(0.01, 10))
def test_low_side_keeps_the_best(values: np.ndarray, zeta: float) -> None:
    assert robust_z(values, "low_side", zeta).kept[values == values.max()].all()


@given(scores, st.floats(0.1, 10))
def test_the_gentler_modes_keep_all_that_paper_keeps(values: np.ndarray, zeta: float) -> None:
    paper = robust_z(values, "paper", zeta).kept
    assert (robust_z(values, "scaled", zeta).kept >= paper).all()
    assert (robust_z(values, "low_side", zeta).kept >= paper).all()


@given(scores.filter(lambda values: len(values) > 2), modes, st.floats(0.1, 10))
def test_the_cut_is_where_it_is_drawn(values: np.ndarray, mode, zeta: float) -> None:
    found = robust_z(values, mode, zeta)
    above_the_line = values > found.low_cut + 1e-6
    below_the_line = values < found.low_cut - 1e-6
    assert not found.kept[below_the_line].any()
    if mode == "low_side":
        assert found.kept[above_the_line].all()
    else:
        assert found.kept[above_the_line & (values <= found.median)].all()


def test_paper_cuts_both_sides_and_low_side_only_the_low() -> None:
    values = np.array([0.10, 0.29, 0.30, 0.30, 0.31, 0.32, 0.50])
    assert robust_z(values, "paper").kept.tolist() == [False, True, True, True, True, True, False]
    assert robust_z(values, "low_side").kept.tolist() == [False, True, True, True, True, True, True]
    assert robust_z(values, "paper").low_cut == pytest.approx(0.27)
    assert robust_z(values, "scaled").low_cut == pytest.approx(0.3 - 0.03 / 0.6745, abs=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_without_spread_only_scores_away_from_the_median_are_outliers(mode) -> None:
    values = np.array([0.3, 0.3 + 1e-7, 0.3 - 1e-7, 0.3, 0.3 + 0.0009, 0.3 - 0.0009, 0.3 + 0.0011, 0.3 - 0.0011])
    values = np.concatenate([values, np.full(8, 0.3)])
    found = robust_z(values, mode, 3.0)
    assert found.mad == 0
    assert (found.z[:6] == 0).all()
    assert (found.z[6:8] > 1e4).all()
    assert found.kept.tolist() == [True] * 6 + [mode == "low_side", False] + [True] * 8
    assert found.low_cut == pytest.approx(0.299)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("values", [[0.3], [0.1, 0.9], [0.3, 0.3]])
def test_one_or_two_are_all_kept(mode, values: list[float]) -> None:
    found = robust_z(np.array(values), mode, zeta=0.1)
    assert found.kept.all()
    assert math.isnan(found.low_cut)


@given(scores.filter(lambda values: len(values) >= 2), modes, st.data())
def test_scores_out_of_play_change_nothing_and_are_not_kept(values: np.ndarray, mode, data) -> None:
    in_play = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)).filter(any)))
    found, alone = robust_z(values, mode, in_play=in_play), robust_z(values[in_play], mode)
    assert (found.median, found.mad) == (alone.median, alone.mad)
    np.testing.assert_array_equal(found.kept[in_play], alone.kept)
    assert not found.kept[~in_play].any()


@given(scores, modes, zetas)
def test_past_the_cut_is_what_is_cut(values: np.ndarray, mode, zeta: float) -> None:
    found = robust_z(values, mode, zeta)
    median, cut = (np.broadcast_to(figure, values.shape) for figure in (found.median, found.low_cut))
    past = past_cut(values, median, found.z, cut, mode, zeta)
    np.testing.assert_array_equal(past > 0, ~found.kept)


def test_above_the_median_low_side_counts_from_the_limit_below() -> None:
    values = np.array([0.1, 0.29, 0.3, 0.31, 0.5])
    found = robust_z(values, "low_side", 3.0)
    past = past_cut(values, np.full(5, found.median), found.z, np.full(5, found.low_cut), "low_side", 3.0)
    assert past == pytest.approx([17.0, -2.0, -3.0, -4.0, -23.0], abs=1e-3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(
        PrototypeError, match=r"^A similarity is not a number: (nan|inf)\. Compute the embeddings again"
    ):
        robust_z(np.array([0.1, bad, 0.3]))


def test_of_classes_with_texts_and_without_each_is_as_if_alone() -> None:
    scores = np.array([[0.3, 0.31, 0.29, 0.1], [0.5, 0.6, 0.7, 0.9]])
    in_play = np.array([[True, True, True, True], [False] * 4])
    both, alone = robust_z(scores, in_play=in_play), robust_z(scores[0])
    for of_both, of_one in zip(both, alone, strict=True):
        np.testing.assert_array_equal(of_both[0], of_one)
    assert not both.kept[1].any()
    assert np.isnan([both.median[1], both.mad[1], both.low_cut[1], *both.z[1]]).all()

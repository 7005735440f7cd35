"""The Procrustes map: exact where it can be, indifferent to order, empty where there is no evidence."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from avion_core.backbones.projection import Projection, fit_procrustes
from avion_core.errors import TrainingError


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def keys(count: int, prefix: str) -> list[str]:
    return [f"{prefix}{i:04d}" for i in range(count)]


def fit(images: int = 40, texts: int = 30, seed: int = 0) -> Projection:
    return fit_procrustes(
        unit(images, 48, seed=seed),
        unit(images, 32, seed=seed + 1),
        keys(images, "i"),
        unit(texts, 48, seed=seed + 2),
        unit(texts, 32, seed=seed + 3),
        keys(texts, "t"),
    )


def test_a_true_isometry_is_found() -> None:
    rotation = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(5)))[0]
    inside = unit(200, 32, seed=1)
    teacher = torch.cat([inside, torch.zeros(200, 16)], dim=1)  # 32 of 48 dimensions are in use
    fitted = fit_procrustes(teacher, inside @ rotation.T, keys(200, "i"), teacher[:0], inside[:0], [])
    assert fitted.rank == 32
    assert fitted.agreement(teacher, inside @ rotation.T) == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(fitted.matrix[:, :32], rotation, atol=1e-4, rtol=0)


def test_it_is_a_partial_isometry() -> None:
    fitted = fit()
    product = fitted.matrix @ fitted.matrix.T  # (D_S, D_S)
    torch.testing.assert_close(product, torch.eye(32), atol=1e-5, rtol=0)
    assert fitted.matrix.shape == (32, 48)


@pytest.mark.parametrize("shots", [1, 2, 5])
def test_few_pairs_leave_the_rest_of_the_space_empty(shots: int) -> None:
    fitted = fit(images=shots, texts=shots)
    assert fitted.rank == 2 * shots
    singular = torch.linalg.svdvals(fitted.matrix.double())
    torch.testing.assert_close(singular[: 2 * shots], torch.ones(2 * shots).double(), atol=1e-5, rtol=0)
    assert singular[2 * shots :].max() < 1e-5


@settings(max_examples=20)
@given(st.permutations(range(6)), st.permutations(range(4)))
def test_the_order_of_the_pairs_does_not_matter_at_one_shot(images: list[int], texts: list[int]) -> None:
    f_t, f_s, g_t, g_s = unit(6, 48), unit(6, 32, seed=1), unit(4, 48, seed=2), unit(4, 32, seed=3)
    names, captions = keys(6, "i"), keys(4, "t")
    straight = fit_procrustes(f_t, f_s, names, g_t, g_s, captions)
    shuffled = fit_procrustes(
        f_t[images], f_s[images], [names[i] for i in images], g_t[texts], g_s[texts], [captions[i] for i in texts]
    )
    assert torch.equal(straight.matrix, shuffled.matrix)
    assert straight.rank == shuffled.rank == 10


def test_images_and_texts_weigh_the_same_however_many_there_are() -> None:
    f_t, f_s, g_t, g_s = unit(6, 48), unit(6, 32, seed=1), unit(4, 48, seed=2), unit(4, 32, seed=3)
    once = fit_procrustes(f_t, f_s, keys(6, "i"), g_t, g_s, keys(4, "t"))
    ten = (g_t.repeat(10, 1), g_s.repeat(10, 1), [f"{k}{n}" for n in range(10) for k in keys(4, "t")])
    often = fit_procrustes(f_t, f_s, keys(6, "i"), *ten)
    torch.testing.assert_close(once.matrix, often.matrix, atol=1e-5, rtol=0)


def test_projected_embeddings_have_unit_norm() -> None:
    norms = fit()(unit(7, 48, seed=9)).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(7), atol=1e-6, rtol=0)


def test_bad_pairs_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"no training images to fit. Label at least one image"):
        fit_procrustes(unit(0, 48), unit(0, 32), [], unit(2, 48), unit(2, 32), keys(2, "t"))
    with pytest.raises(TrainingError, match=r"do not match up: \(3, 2, 3\). Give one teacher row"):
        fit_procrustes(unit(3, 48), unit(2, 32), keys(3, "i"), unit(0, 48), unit(0, 32), [])
    broken = unit(3, 48)
    broken[1, 0] = float("nan")
    with pytest.raises(TrainingError, match=r"not numbers. Compute the features again"):
        fit_procrustes(broken, unit(3, 32), keys(3, "i"), unit(0, 48), unit(0, 32), [])

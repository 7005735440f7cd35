"""Several teachers as one: logits are the mean of theirs, and each sees its own view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from avion_core.backbones.ensemble import EnsembleTowers
from avion_core.backbones.entries import CATALOG, ENTRIES
from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.own_models import OwnModel, OwnModels
from avion_core.backbones.preprocessing import Preprocessing
from avion_core.backbones.towers import OpenClipTowers
from avion_core.errors import DataError, NotFoundError, WeightsMissingError
from tests.clip_forms import FORMS, make_clip, make_towers
from tests.tiny_clip import make_tiny_clip

TEXTS = ["a satellite photo of airport", "sea", "a " * 200]


def image(seed: int) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 255, (50, 70, 3), dtype=np.uint8))


@pytest.fixture
def ensemble(tmp_path: Path) -> EnsembleTowers:
    half = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize_mode="squash")
    other = OpenClipTowers("other", make_clip("long"), quick_gelu=True, preprocessing=half)
    return EnsembleTowers("both", [make_towers("siglip", tmp_path), other, make_tiny_clip()])


def test_logits_are_the_mean_of_the_members(ensemble: EnsembleTowers) -> None:
    images = [image(0), image(1)]
    expected = torch.zeros(2, len(TEXTS))
    for member in ensemble.members:
        seen = member.encode_image(torch.stack([member.prepare(one) for one in images]))
        expected += member.logit_scale * seen @ member.encode_text(TEXTS).T / 3
    f = ensemble.encode_image(torch.stack([ensemble.prepare(one) for one in images]))
    g = ensemble.encode_text(TEXTS)
    assert f.shape == (2, ensemble.dim) == (2, 32 + 24 + 32)
    for features in (f, g):
        torch.testing.assert_close(features.norm(dim=1), torch.ones(len(features)))
    torch.testing.assert_close(ensemble.logit_scale * f @ g.T, expected, atol=1e-4, rtol=1e-5)


def test_it_has_a_hash_a_view_and_a_length_of_its_own(ensemble: EnsembleTowers) -> None:
    reversed_ = EnsembleTowers("both", ensemble.members[::-1])
    hashes = {ensemble.weights_hash, reversed_.weights_hash, *(member.weights_hash for member in ensemble.members)}
    assert len(hashes) == 5
    assert ensemble.view.count("|") == 2
    assert ensemble.too_long(TEXTS) == [2]
    with pytest.raises(DataError, match="no views of this ensemble"):
        ensemble.encode_image(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


def test_names_are_joined_by_a_plus(tmp_path: Path) -> None:
    models = OwnModels(tmp_path / "models.yaml")
    for name, form in (("one", "clip"), ("two", "pe")):
        models.enter(name, OwnModel(config=FORMS[form], licence=f"of {name}", warning=f"{name}!"))
    store = WeightStore(tmp_path / "weights", catalog=models)
    for name, form in (("one", "clip"), ("two", "pe")):
        with pytest.raises(WeightsMissingError, match=f"weights of {name} are not installed"):
            store.need("one+two")
        assert store.path("one+two") is None
        torch.save(make_clip(form).state_dict(), tmp_path / "w.pt")
        store.add_local(name, tmp_path / "w.pt")
    towers = load_towers("one+two", store)
    assert isinstance(towers, EnsembleTowers)
    entry = models.find("one+two")
    assert (entry.dim, entry.kind, entry.licence, entry.warning) == (48, "ensemble", "of one; of two", "one! two!")
    assert towers.dim == entry.dim
    with pytest.raises(NotFoundError, match=r"An ensemble has no weights of its own.*Install one and two"):
        models.downloadable("one+two")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("demo-teacher+vit-z", "no such model: vit-z"),
        ("demo-teacher+demo-teacher", "cannot be joined"),
        ("demo-teacher+given-0123456789abcdef", "cannot be joined"),
        ("demo-teacher+", "no such model"),
    ],
)
def test_what_cannot_be_joined(name: str, said: str) -> None:
    assert CATALOG.known(name) is None
    with pytest.raises(NotFoundError, match=said):
        CATALOG.find(name)
    assert CATALOG.find("demo-teacher+demo-student").parameters == sum(
        ENTRIES[one].parameters for one in ("demo-teacher", "demo-student")
    )

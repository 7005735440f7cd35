from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from avion_core.usecases.curation import curation_table, record_verdict
from avion_core.usecases.projects.descriptions import import_descriptions
from avion_core.usecases.writing.compare_writers import compare_writers, diversity
from tests.tiny_studio import CLASSES

pytestmark = pytest.mark.usefixtures("tiny_towers")


@pytest.fixture
def two_writers(home, project, tmp_path):
    good = [{"class": key, "text": f"Aerial view of {key} number {n} with roads.", "writer": "gemini", "model": "a"}
            for key in CLASSES for n in range(4)]  # fmt: skip
    poor = [
        {"class": "beach", "text": text, "writer": "file", "model": "b"}
        for text in ("A street.", "Standing on the street near the beach, close up, with some people around me.")
    ]
    path = tmp_path / "two.jsonl"
    path.write_text("\n".join(map(json.dumps, good + poor)))
    import_descriptions(home, "scenes", path)
    return home


def test_every_figure_of_every_writer(two_writers):
    found = compare_writers(two_writers, curation_table(two_writers, "scenes"))
    by_name = {one.name: one for one in found.writers}
    good, poor = by_name["gemini · a"], by_name["file · b"]
    assert (good.texts, good.classes, good.flagged, good.no_overhead, good.length) == (12, 3, 100.0, 0.0, 0.0)
    assert (poor.texts, poor.classes, poor.flagged, poor.no_overhead) == (2, 1, 0.0, 100.0)
    assert poor.length == 50.0
    assert 0 < good.kept <= 100
    assert 1 <= good.n_eff <= 4
    assert good.similarity == tuple(sorted(good.similarity))
    assert 0 < good.diversity < 2
    assert 0 <= good.accuracy <= 100
    assert (good.tokens, good.cost) == (0, None)
    assert (found.classes, found.validation_images) == (3, 3 * 1)
    assert [one.accuracy for one in found.writers] == sorted((one.accuracy for one in found.writers), reverse=True)


def test_verdicts_are_set_aside_and_edits_left_out(two_writers):
    before = compare_writers(two_writers, curation_table(two_writers, "scenes"))
    table = curation_table(two_writers, "scenes").table
    mine = table.loc[table["writer"] == "gemini", "description_id"]
    record_verdict(two_writers, "scenes", mine.iloc[0], "reject")
    assert compare_writers(two_writers, curation_table(two_writers, "scenes")) == before
    record_verdict(two_writers, "scenes", mine.iloc[1], "edit", text="A satellite image of something else entirely.")
    after = compare_writers(two_writers, curation_table(two_writers, "scenes"))
    assert {one.name: one.texts for one in after.writers} == {"gemini · a": 11, "file · b": 2}


def test_diversity_is_the_mean_distance_of_pairs():
    generator = torch.Generator().manual_seed(0)
    embeddings = normalize(torch.randn(7, 5, generator=generator), dim=1)
    owner = np.array([0, 1, 0, 1, 0, 2, 0])
    expected = []
    for place in (0, 1):
        mine = embeddings[torch.from_numpy(np.flatnonzero(owner == place))]
        pairs = [1 - float(a @ b) for i, a in enumerate(mine) for b in mine[i + 1 :]]
        expected.append(sum(pairs) / len(pairs))
    assert diversity(owner, embeddings) == pytest.approx(sum(expected) / 2, abs=1e-6)
    assert diversity(np.zeros(3, dtype=int), embeddings[[0, 0, 0]]) == pytest.approx(0, abs=1e-6)
    assert np.isnan(diversity(np.arange(7), embeddings))

"""What a tokenizer alone says of long texts is what the towers do."""

from __future__ import annotations

import random

import pytest

from avion_core.backbones.entries import CATALOG
from avion_core.backbones.load import WeightStore, load_towers
from avion_core.backbones.reading_length import CutOff, cut_off

WORDS = (
    *(
        "from",
        "above",
        "orthorectified",
        "rows",
        "of",
        "pale-grey",
        "roofs;",
        "12",
        "m,",
        "naïve",
        "café",
        "森林",
        "🌲",
    ),
    *("🌲", "Überlandleitung", "(x)", "a", "I"),
)


def texts(count: int) -> list[str]:
    """Texts of 1 to 150 words, so that some are about as long as a model reads."""
    rng = random.Random(7)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 150))) for _ in range(count)] + ["", "a" * 75, "a" * 400]


@pytest.mark.parametrize(("name", "tokens"), [("demo-teacher", 96), ("demo-student", 77)])
def test_it_says_what_the_towers_do(tmp_path, name, tokens):
    weights = WeightStore(tmp_path)
    found = cut_off(CATALOG.find(name), weights.path(name), texts(200))
    assert found.places == load_towers(name, weights).too_long(texts(200))
    assert 40 < len(found.places) < 160
    assert found.tokens == tokens


def test_a_model_that_is_not_installed_is_asked_where_its_tokenizer_is_known():
    assert cut_off(CATALOG.find("georsclip-vit-h-14"), None, ["word " * 76, "word " * 75]).places == [0]
    assert cut_off(CATALOG.find("demo-teacher"), None, ["word " * 500]).places == []


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, ""),
        (1, "1 is longer than the teacher reads (77 tokens): its end counts for nothing"),
        (2, "2 are longer than the teacher reads (77 tokens): their ends count for nothing"),
    ],
)
def test_what_is_said(count, said):
    assert cut_off(CATALOG.find("georsclip-vit-h-14"), None, ["a field"] + ["roof " * 80] * count).sentence == said


def test_of_embeddings_that_were_given_nobody_knows_what_was_read():
    assert cut_off(CATALOG.find("given-0123456789abcdef"), None, ["many words " * 200]) == CutOff([], 0)

"""Placebo texts: what each control keeps of a description, and what it takes away."""

from __future__ import annotations

import random
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avion_core.backbones.vocabulary import whole_words
from avion_core.descriptions.placebo import (
    NAMED,
    NAMELESS,
    OWN,
    RANDOM,
    SHUFFLED,
    derangement,
    placebo_texts,
    random_words,
    without_name,
)
from avion_core.errors import DataError

NAMES = {"river": "river", "storagetanks": "storage tanks", "sealake": "sea or lake"}
TEXTS = {
    "river": ["Aerial view of a river, 25 m wide.", "Rivers wind through fields."],
    "storagetanks": ["White storage tanks in rows.", "Round roofs seen from above."],
    "sealake": ["Sea.", "Open water of a lake or a sea."],
}

VERDICTS = ("rejected", "accepted")


@pytest.fixture
def candidates() -> pd.DataFrame:
    rows = [
        {"description_id": f"{key}{place}", "class_key": key, "text": text, "verdict": VERDICTS[place]}
        for key, texts in TEXTS.items()
        for place, text in enumerate(texts)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def shape(text: str) -> list[tuple[int, bool, bool]]:
    return [(len(word), word[0].isupper(), word.isdecimal()) for word in re.findall(r"\w+", text)]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


@given(st.integers(2, 60), st.integers(0, 50), st.integers(0, 5))
def test_no_class_keeps_its_own_and_each_gives_once(count, seed, draw):
    keys = [f"c{n}" for n in range(count)]
    given_to = derangement(keys, seed, draw)
    assert sorted(given_to) == sorted(given_to.values()) == sorted(keys)
    assert all(key != other for key, other in given_to.items())
    assert given_to == derangement(keys, seed, draw)


def test_one_class_has_nobody_to_exchange_with(candidates):
    with pytest.raises(DataError, match="between two classes or more"):
        placebo_texts(SHUFFLED, candidates[candidates["class_key"] == "river"], NAMES)


def test_shuffled_texts_move_whole_with_their_verdicts(candidates):
    moved = placebo_texts(SHUFFLED, candidates, NAMES, seed=3)
    assert moved[["description_id", "text", "verdict"]].equals(candidates[["description_id", "text", "verdict"]])
    assert (moved["class_key"] != candidates["class_key"]).all()
    draws = {tuple(placebo_texts(SHUFFLED, candidates, NAMES, 3, draw)["class_key"]) for draw in range(20)}
    assert len(draws) == 2  # of three classes there are two circles


def test_random_words_keep_number_lengths_capitals_and_signs(candidates):
    drawn = placebo_texts(RANDOM, candidates, NAMES)
    for before, after in zip(candidates["text"], drawn["text"], strict=True):
        assert shape(before) == shape(after)
        assert re.sub(r"\w+", "", before) == re.sub(r"\w+", "", after)
    named = set().union(*map(words, NAMES.values())) - {"or"}
    assert not named & set().union(*map(words, drawn["text"]))
    assert drawn.equals(placebo_texts(RANDOM, candidates, NAMES))
    assert not drawn.equals(placebo_texts(RANDOM, candidates, NAMES, draw=1))


def test_the_name_stays_among_random_words_or_is_put_first(candidates):
    drawn = placebo_texts(NAMED, candidates, NAMES).set_index("description_id")["text"]
    assert "river" in words(drawn["river0"])
    assert drawn["river1"].startswith("Rivers ")
    assert {"storage", "tanks"} <= words(drawn["storagetanks0"])
    assert drawn["storagetanks1"].startswith("storage tanks: ")
    assert shape(drawn["storagetanks1"])[2:] == shape(TEXTS["storagetanks"][1])


def test_a_text_of_nothing_but_the_name_is_left_out(candidates):
    left = placebo_texts(NAMELESS, candidates, NAMES)
    assert list(left["description_id"]) == ["river0", "river1", "storagetanks0", "storagetanks1", "sealake1"]
    assert list(left.index) == list(range(5))
    assert left["text"].iloc[4] == "Open water of a or a."


def test_own_is_what_it_was(candidates):
    assert placebo_texts(OWN, candidates, NAMES) is candidates


@pytest.mark.parametrize(
    ("text", "name", "left"),
    [
        ("Aerial view of storage tanks, one storage-tank leaking.", "storage tanks", "Aerial view of, one leaking."),
        ("The city's churches and a church.", "church", "The city's and a."),
        ("A tenniscourt beside tennis courts.", "tennis court", "A beside."),
        ("Bridges cross it; the bridge's shadow.", "bridge", "cross it; the shadow."),
        ("Berries and a berry.", "berry", "and a."),
        ("River-like bends.", "river", "like bends."),
        ("A grassy field.", "grass", "A grassy field."),  # another word
        ("The sea or a lake.", "sea or lake", "The or a."),
        ("Of all of it.", "of", "all it."),  # a name of joining words alone is still a name
        ("从上方看到的 river 河流", "river", "从上方看到的 河流"),
    ],
)
def test_every_word_of_the_name_goes(text, name, left):
    assert without_name(text, name) == left


def test_lengths_that_no_word_has_take_the_nearest():
    drawn = random_words("supercalifragilistic x", {3: ["cat"], 5: ["horse"]}, random.Random(0))
    assert drawn == "horse cat"


def test_the_vocabulary_is_words():
    found = whole_words()
    assert len(found) == len(set(found)) > 15_000
    assert {"water", "green", "house", "street"} <= set(found)
    assert all(re.fullmatch("[a-z]{2,}", word) for word in found)

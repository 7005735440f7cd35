from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avion_core.descriptions.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One field. Two roads! Three?", ["One field.", "Two roads!", "Three?"]),
        ("It is 0.5 m wide and 3.25 ha large.", ["It is 0.5 m wide and 3.25 ha large."]),
        ("Boats, e.g. Sailing boats, i.e. White ones.", ["Boats, e.g. Sailing boats, i.e. White ones."]),
        ("The U.S. Army keeps approx. 20 tanks.", ["The U.S. Army keeps approx. 20 tanks."]),
        ("A church by J. Smith near St. Mary. It is grey.", ["A church by J. Smith near St. Mary.", "It is grey."]),
        ("Roads, trees, etc. The lot is grey.", ["Roads, trees, etc.", "The lot is grey."]),
        ("a pattern.First, rows of trees", ["a pattern.", "First, rows of trees"]),
        ("features:\n\n1. Shape: round.\n2. Colour: red", ["features:", "Shape: round.", "Colour: red"]),
        ("in fields.2.. Rows of trees", ["in fields.", "Rows of trees"]),
        ("- a field\n• a road", ["a field", "a road"]),
        ("wrapped\nlines are one sentence.", ["wrapped lines are one sentence."]),
        ('He said "Look." Then (it is small.) Nothing.', ['He said "Look."', "Then (it is small.)", "Nothing."]),
        ("Wait... What is it", ["Wait...", "What is it"]),
        (" \n 12. ... \n", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.lists(st.text(alphabet="abcdefgh ,", min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=6))
def test_whole_sentences_come_back(bodies: list[str]) -> None:
    written = [f"Fields {' '.join(body.split())} end." for body in bodies]
    assert sentences(" ".join(written)) == written


@given(st.text(max_size=200))
def test_no_letter_is_lost(text: str) -> None:
    def letters(value: str) -> str:
        return "".join(character for character in value if character.isalpha())

    assert letters("".join(sentences(text))) == letters(text)

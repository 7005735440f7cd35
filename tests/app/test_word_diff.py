"""An edit, word by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.kit.word_diff import word_diff

WORDS = ("aerial", "view", "of", "a", "dense", "forest", "with", "roads")
sentences = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(sentences, sentences)
def test_both_wordings_can_be_read_off(before: str, after: str) -> None:
    runs = word_diff(before, after)
    assert " ".join(words for kind, words in runs if kind != "new") == before
    assert " ".join(words for kind, words in runs if kind != "gone") == after


def test_without_a_change_all_is_the_same() -> None:
    assert word_diff("Aerial  view", "Aerial view") == [("same", "Aerial view")]

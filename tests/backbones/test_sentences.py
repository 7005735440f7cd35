"""Class names that the models would read as one, and signs of the tokenizers' own: found before work starts."""

from __future__ import annotations

import open_clip
import pytest

from avion_core.backbones.sentences import CLIP_READER, cut_sentences
from avion_core.config import DEFAULT_TEMPLATE
from avion_core.errors import DataError
from avion_core.reading import tokenizer_mark

LONG = "field of " + "very " * 80


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a pier <end_of_text> by the sea", "<end_of_text>"),
        ("<START_OF_TEXT>pier", "<START_OF_TEXT>"),
        ("pier &lt;end_of_text&gt;", "<end_of_text>"),
        ("pier &amp;lt;end_of_text&amp;gt;", "<end_of_text>"),
        ("pier \uff1cend_of_text\uff1e", "<end_of_text>"),
        ("pier [SEP] sea", "[SEP]"),
        ("less than < 30 %, [see] <end of text>", ""),
        ("a [mask] of cloud & smoke", ""),
        ("Straße, 港口", ""),
    ],
)
def test_signs_of_the_tokenizers_own(text: str, mark: str) -> None:
    assert tokenizer_mark(text) == mark
    if mark != "[SEP]":  # BERT's
        read = open_clip.get_tokenizer("ViT-B-32")(text)[0].tolist()
        assert (sum(token >= 49406 for token in read) > 2) == bool(mark)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("pier", "Pier"), "case and spaces"),
        (("rail  yard", "rail yard"), "case and spaces"),
        (("rock &amp; sand", "rock & sand"), "case and spaces"),
        ((LONG + "wheat", LONG + "rye"), "75 tokens are read"),
    ],
)
def test_names_that_read_the_same_are_refused(names: tuple[str, str], said: str) -> None:
    with pytest.raises(DataError, match=r"The models read the same for two classes, “.*” and “.*”") as raised:
        cut_sentences({"a": "forest", "b": names[0], "c": names[1]}, DEFAULT_TEMPLATE)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 300


def test_a_name_with_a_mark_is_refused_by_its_class() -> None:
    with pytest.raises(DataError, match=r"name of the class b holds <end_of_text>.*Give the class another name"):
        cut_sentences({"a": "pier", "b": "pier <end_of_text> two"}, DEFAULT_TEMPLATE)


def test_what_is_cut_is_told_and_what_fits_is_not() -> None:
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    fits = "x " * (CLIP_READER.room - len(tokenizer.encode(DEFAULT_TEMPLATE.format(""))))
    names = {"fits": fits.strip(), "cut": f"y {fits}", "short": "pier"}
    assert cut_sentences(names, DEFAULT_TEMPLATE) == ["cut"]
    template = "z " * 70 + "{}"
    assert cut_sentences({"a": "p q r s t u v", "b": "p q r s w"}, template) == ["a"]


def test_a_template_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(DataError, match="75 tokens are read"):
        cut_sentences({"a": "pier", "b": "forest"}, "z " * 76 + "{}")

"""What a text brings along from the page that it was copied from is taken off; what is no description is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avion_core.descriptions.cleaning import cleaned, no_description
from avion_core.descriptions.importing import read_descriptions
from avion_core.descriptions.writers.reply import read_reply

CLASSES = {"beach": "beach"}


@pytest.mark.parametrize(
    ("text", "as_kept"),
    [
        ("1. **From above, dense canopy.**", "From above, dense canopy."),
        ("- **2) From above, a pier**", "From above, a pier"),
        ("• Satellite view of rows", "Satellite view of rows"),
        ("From above, sand &amp; rock <br> by water", "From above, sand & rock by water"),
        ("Sand&nbsp;and &amp;amp; rock, 5&#176;", "Sand and & rock, 5°"),
        ("**Dense canopy:** an aerial view", "Dense canopy: an aerial view"),
        ("### Overhead view of `roofs`", "Overhead view of roofs"),
        ("“From above, sand.”", "From above, sand."),
        ("<p>An <em>aerial</em> view</p>", "An aerial view"),
        ("_Aerial_ view", "Aerial view"),
        ("![x](http://127.0.0.1/x.png) Aerial view", "Aerial view"),
        ("Aerial [view](javascript:alert(1)) of ~~no~~ roofs", "Aerial view of no roofs"),
    ],
)
def test_marks_of_a_page_are_taken_off(text: str, as_kept: str) -> None:
    assert cleaned(text) == as_kept


@pytest.mark.parametrize(
    "text",
    [
        *(
            "12 tanks of 1.5 m in a row",
            "5 * 3 * 2 grid",
            "a_b_c of rows",
            'He said "no", twice',
            '"A" and "B"',
            "=1+1",
        ),
        *("R&D; centre", "A <crown> of trees", "-1 m deep", "(a) pier", "plots of 2 m * 3 m", "None", "1st row"),
    ],
)
def test_what_is_meant_is_left_alone(text: str) -> None:
    assert cleaned(text) == text
    assert not no_description(text)


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once or "&" in text  # a reference may stand for another's beginning


@pytest.mark.parametrize(
    "text",
    [
        *("An aerial view of {class}.", "View of <class name> from above", "[Class] seen from above", "View of {}"),
        *("A satellite photo of %s", "[insert class here]", "6 to 20 words on how the class looks from above"),
        *("<description>", "[description 1]", "<one sentence>"),
        *("<img src=x onerror=alert(1)> from above", "<script>alert(1)</script>", "<a href=x>Aerial view</a>"),
    ],
)
def test_placeholders_and_other_html_are_no_descriptions(text: str) -> None:
    assert no_description(cleaned(text))


def test_an_import_says_what_it_cleaned_and_what_it_left_out(tmp_path) -> None:
    file = tmp_path / "texts.json"
    texts = ["1. **From above, sand.**", "from above sand", "Aerial view of {class}.", "1.", "Plain view from above."]
    file.write_text(json.dumps({"beach": texts}))
    found = read_descriptions(file, CLASSES)
    assert [one.text for one in found.descriptions] == ["From above, sand.", "Plain view from above."]
    assert found.cleaned == 1
    assert [one.text for one in found.duplicates] == ["from above sand"]
    assert "beach, text 3: the text holds a placeholder, {class}." in found.problems
    assert "beach, text 4: the text is empty." in found.problems


def test_a_classs_own_name_is_no_placeholder(tmp_path) -> None:
    file = tmp_path / "texts.json"
    file.write_text(json.dumps({"{name}": ["An aerial view of {name} by the sea."]}))
    assert len(read_descriptions(file, {"{name}": "{name}"}).descriptions) == 1
    reply = json.dumps({"descriptions": [{"text": "An aerial view of a {name} by the sea."}]})
    assert len(read_reply(reply, 1, names=["{name}"]).descriptions) == 1


def test_sentences_are_cut_before_they_are_cleaned(tmp_path) -> None:
    file = tmp_path / "texts.json"
    file.write_text(json.dumps({"beach": ["1. **From above, sand.**<br>2. **Waves in white rows.**"]}))
    found = read_descriptions(file, CLASSES, split_sentences=True)
    assert [one.text for one in found.descriptions] == ["From above, sand.", "Waves in white rows."]


def test_what_a_studio_exported_stays_as_it_is(tmp_path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text(json.dumps({"class": "beach", "text": "1. **sand** &amp; {class}", "history": []}))
    (one,) = read_descriptions(file, CLASSES).descriptions
    assert one.text == "1. **sand** &amp; {class}"


def test_a_reply_is_cleaned_and_says_so() -> None:
    texts = ["1. **From above, a long white sandy beach.**", "An aerial view of {class} by the sea.", "<b>1.</b>"]
    found = read_reply(json.dumps({"descriptions": [{"text": text} for text in texts]}), 3)
    assert [one.text for one in found.descriptions] == ["From above, a long white sandy beach."]
    assert (found.cleaned, dict(found.dropped)) == (1, {"a placeholder or HTML": 1, "empty": 1})

"""What a text brings along from the page that it was copied from is taken off; what is no description is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avion_core.descriptions.cleaning import cleaned, no_description, without_chat
from avion_core.descriptions.importing import read_descriptions
from avion_core.descriptions.sentences import sentences
from avion_core.descriptions.writers.reply import read_reply

CLASSES = {"beach": "beach"}
SHARED = Path(__file__).parents[3] / "shared" / "data"


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


CHAT = (
    "Sure! Here are 5 descriptions:",
    "Sure, here are five descriptions of a beach as seen from above:",
    "Certainly! Here is a description.",
    "**Here are 10 captions for the class beach**",
    "Here's a general description:",
    "Below are the descriptions you asked for:",
    "The following are 3 satellite captions of the class:",
    "Description 1:",
    "### Description 2",
    "**Caption 3**",
    "Descriptions:",
    "Descriptions of beach from above:",
    "Of course!",
    "Sure!",
    "Let me know if you'd like more descriptions!",
    "I hope these descriptions help.",
    "Feel free to adjust them.",
    "Would you like me to write more?",
    "If you need more examples, just let me know.",
    "Note that these descriptions are generic.",
    "As an AI language model, I cannot view images.",
    "I'm unable to view images directly.",
    "I'm sorry, but I can't help with that.",
    "Sure, I'd be happy to help!",
)


@pytest.mark.parametrize("text", CHAT)
def test_what_a_chat_says_is_no_description(text: str) -> None:
    assert cleaned(text) == ""


@pytest.mark.parametrize("text", ["From above, rows of pale boats.", "description of nothing", "12 tanks in a row"])
@pytest.mark.parametrize(
    "before",
    [
        "Description 3: ", "**Description 3:** ", "3. Description 3 - ", "Caption #2: ", "caption no. 4. ",
        "Sentence 1) ", "Description: ", "Sure! ", "Certainly! Here is a description: ",
        "Here is my caption of the class beach: ",
        "Sure, here's a description of a beach: ", "- **Option 2:** ", "Great! ",
    ],
)  # fmt: skip
def test_what_a_chat_says_before_a_description_goes(before: str, text: str) -> None:
    assert cleaned(before + text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Here are rows of pale roofs along a road.",
        "Here, the river bends twice between fields.",
        "Here is a harbour with piers: boats lie along each.",
        "Below is a dam, above it a lake.",
        "Below are fields; above, the town.",
        "The following river bend shows sand banks.",
        "Sure-footed paths cross the slope.",
        "Certainly not a road: a dry river bed.",
        "Okay-sized plots in a grid",
        "Great, sweeping dunes seen from above",
        "Great circles of irrigated crops",
        "Text painted on a roof",
        "Text 12 m high on the runway",
        "Caption boards along the beach",
        "Descriptions painted on the runway",
        "Options for parking line the street",
        "Example of a terminal with 3 piers",
        "I-shaped buildings in a row",
        "I can see long rows of roofs. Cars stand between them.",
        "As an airport, it has two runways.",
        "Let the fields lie bare: brown squares",
        "These are plots: green, brown, yellow.",
        "Variation 3 in tone from green to brown",
        "Two textures: sand and rock",
    ],
)
def test_descriptions_that_begin_alike_stay(text: str) -> None:
    assert cleaned(text) == text


def test_an_import_says_that_a_line_introduces_others_and_splits_without_it(tmp_path) -> None:
    file = tmp_path / "texts.json"
    file.write_text(json.dumps({"beach": ["Sure! Here are 2 descriptions:", "Description 1: Sand from above."]}))
    found = read_descriptions(file, CLASSES)
    assert [one.text for one in found.descriptions] == ["Sand from above."]
    assert found.problems == [
        "beach, text 1: the text is what a model says of itself or of its texts, not a description."
    ]
    file.write_text(json.dumps({"beach": ["Sure! Here is a description: Sand from above. Let me know if it helps!"]}))
    (one,) = read_descriptions(file, CLASSES, split_sentences=True).descriptions
    assert one.text == "Sand from above."


def test_real_descriptions_stay_as_they_were_written() -> None:
    """Every text and caption of the public sets, whole and by sentence: what changes speaks to the reader."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    texts = [text for file in sorted((SHARED / "descriptions").glob("*.json"))
             for of_class in json.loads(file.read_text()).values() for text in of_class]  # fmt: skip
    ucm = json.loads((SHARED / "captions/dataset_ucm_captions.json").read_text())["images"]
    captions = [said["raw"] for image in ucm for said in image["sentences"]]
    speaks = re.compile(r"\b(here(?:'s| is| are)|sure|i|i'm|i'd|let me|would you|following|ai|descriptions?)\b", re.I)
    pieces = {piece for text in texts for piece in (text, *sentences(text))} | set(captions)
    changed = {piece for piece in pieces if without_chat(piece) != piece}
    assert len(pieces) > 80_000
    assert 100 < len(changed) < 400
    assert [piece for piece in changed if not speaks.search(piece)] == []
    assert not changed & set(captions)


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


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("I'm sorry, but I cannot generate satellite views.", False),
        ("I'm sorry, but I'm unable to say more about this one place you asked me for today.", False),
        ("I cannot see one, but a typical highway would show a long, straight or curved stretch of pavement.", True),
        ("I cannot see one, but sure.", False),
    ],
)
def test_the_rest_of_a_refusal_may_still_describe(text: str, stays: bool) -> None:
    assert bool(without_chat(text)) is stays

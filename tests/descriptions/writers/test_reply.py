from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid import langid

from avion_core.descriptions.schema import folded
from avion_core.descriptions.writers.reply import LANGUAGES, read_reply, wrong_language

PIERS = "An aerial view of white boats along straight piers."
CRANES = "Overhead image of cranes and stacked containers beside deep water."
GOOD = json.dumps({"descriptions": [{"text": PIERS, "viewpoint": "aerial view"}, {"text": CRANES}]})


def texts(reply, asked=10, **more):
    return [found.text for found in read_reply(reply, asked, **more).descriptions]


@pytest.mark.parametrize(
    "reply",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}",
        f"Here you are:\n{GOOD}\nAnything else?",
        "\ufeff" + GOOD,
        json.dumps([{"text": PIERS}, {"text": CRANES}]),
        json.dumps([PIERS, CRANES]),
        json.dumps({"harbor": [PIERS, CRANES]}),
        json.dumps({"descriptions": [{"text": PIERS, "visual_cues": ["boats", "piers"]}, {"text": f"  {CRANES}\n"}]}),
        f'<think>Perhaps {{"descriptions": ["A", "B", "C"]}} or [1]?</think>\n```json\n{GOOD}\n```',
        f'Perhaps ["A", "B", "C"]?</think>{GOOD}',
        f"For {{class}} [see 1], {{this}}:\n{GOOD}\nThere are [2].",
        json.dumps({"text": PIERS, "visual_cues": ["boats"]})
        + "\n"
        + json.dumps({"text": CRANES, "spatial_cues": ["a"]}),
        json.dumps({"result": {"descriptions": [PIERS, CRANES]}}),
        GOOD.replace("white boats", "white\n\tboats"),
        json.dumps([{"text": PIERS, "visual_cues": {"colours": ["white"]}}, {"text": CRANES, "viewpoint": 5}]),
    ],
    ids=[
        *("as asked", "fenced", "open fence", "chatter", "mark", "list", "strings", "named list", "lists in fields"),
        *("thoughts", "thoughts that began elsewhere", "braces in chatter", "an object a line", "list in an object"),
        *("line breaks in a text", "odd cues"),
    ],
)
def test_forms_that_can_be_read(reply):
    reading = read_reply(reply, 10)
    assert [found.text for found in reading.descriptions] == [PIERS, CRANES]
    assert not reading.problem
    assert not reading.dropped


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("", "the reply is empty"),
        ("```json\n```", "the reply is empty"),
        ("I cannot help with that.", "the reply is not JSON"),
        ("{{{", "the reply is not JSON"),
        ('"just a text"', "the reply is not JSON"),
        ('{"descriptions": 5}', "the reply is not a list of descriptions"),
        ('{"descriptions": []}', "the reply holds no usable description"),
    ],
)
def test_replies_with_nothing_in_them(reply, problem):
    reading = read_reply(reply, 10)
    assert not reading.descriptions
    assert reading.problem == problem


def test_a_bare_object_is_the_entry_and_its_cues_are_its_own():
    reading = read_reply(json.dumps({"text": PIERS, "visual_cues": ["boats", "piers"], "viewpoint": None}), 10)
    (found,) = reading.descriptions
    assert (found.text, found.visual_cues, found.viewpoint) == (PIERS, "boats; piers", "")
    broken = f'{{"text": "{PIERS}", "visual_cues": ["boats in rows", "long piers"], "spatial'
    assert read_reply(broken, 10).descriptions == []


def test_odd_cues_are_put_into_words():
    cues = {
        "visual_cues": {"colour": "white", "things": ["boats", 2]},
        "spatial_cues": [["in", "rows"], None],
        "viewpoint": 7,
    }
    (found,) = read_reply(json.dumps([{"text": PIERS} | cues]), 10).descriptions
    assert (found.visual_cues, found.spatial_cues, found.viewpoint) == (
        "colour: white; things: boats; 2",
        "in; rows",
        "7",
    )
    half = json.dumps([{"text": PIERS, "viewpoint": "from\ud83d above\x00"}])
    assert read_reply(half, 10).descriptions[0].viewpoint == "from\ufffd above\ufffd"


@pytest.mark.parametrize("reply", ["<think>Perhaps " + GOOD, "<think>" + GOOD + "</think>"])
def test_thoughts_are_no_reply(reply):
    reading = read_reply(reply, 10)
    assert reading.descriptions == []
    assert reading.problem == "the reply is empty"


def test_a_fault_in_the_middle_leaves_what_stands_whole():
    reply = f'{{"descriptions": [{{"text": "{PIERS}"}}, {{"text": oops}}, {{"text": "{CRANES}"}}]}}'
    reading = read_reply(reply, 10)
    assert [found.text for found in reading.descriptions] == [PIERS, CRANES]
    assert reading.problem == "the reply is incomplete"


@pytest.mark.parametrize("reply", ["[" * 100_000, '{"a":' * 50_000, "[" + "9" * 10_000, '[{"text": [[' * 20_000])
def test_replies_made_to_tire_are_read_in_time(reply):
    began = time.monotonic()
    assert read_reply(reply, 10).descriptions == []
    assert time.monotonic() - began < 10


@given(st.integers(0, len(GOOD) - 1))
def test_a_reply_that_breaks_off_gives_what_is_complete(cut):
    reading = read_reply(GOOD[:cut], 10)
    assert [found.text for found in reading.descriptions] in ([], [PIERS], [PIERS, CRANES])
    assert reading.problem
    assert len(reading.descriptions) == sum(GOOD.find("}", GOOD.find(text)) < cut for text in (PIERS, CRANES))


def test_what_is_left_out_is_counted():
    items = [
        PIERS,
        PIERS.upper().replace(".", "!"),
        "",
        7,
        {"viewpoint": "nadir"},
        {"text": None},
        "a\x00b",
        CRANES,
        "x" * 5000,
    ]
    items += ["Vue aérienne d'un port avec des bateaux blancs le long des quais."]
    reading = read_reply(json.dumps(items), 10, known=["Boats!"])
    assert [found.text for found in reading.descriptions] == [PIERS, CRANES]
    assert reading.dropped == {
        "repeated": 1,
        "empty": 1,
        "not a description": 3,
        "not a text": 2,
        "not English": 1,
    }


def test_known_texts_and_surplus_are_left_out():
    assert texts(GOOD, known=[PIERS.lower()]) == [CRANES]
    reading = read_reply(GOOD, 1)
    assert [found.text for found in reading.descriptions] == [PIERS]
    assert reading.dropped == {"more than asked for": 1}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (PIERS, "English"),
        ("Vue aérienne d'un port avec des bateaux blancs le long des quais.", "French"),
        ("Luftbild eines Hafens mit weißen Booten entlang gerader Stege.", "German"),
        ("Вид с воздуха на порт с белыми лодками вдоль причалов.", "Russian"),
    ],
)
def test_languages_are_told_apart(text, language):
    assert not wrong_language(text, language)
    others = [other for other in LANGUAGES if other != language]
    assert all(wrong_language(text, other) for other in others)


def test_a_few_letters_tell_no_language():
    assert not wrong_language("Dense.", "French")


@given(st.text(max_size=300))
def test_any_reply_is_read_without_an_error(reply):
    reading = read_reply(reply, 5)
    assert len({folded(found.text) for found in reading.descriptions}) == len(reading.descriptions) <= 5


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20), st.lists, max_leaves=8))
def test_any_json_is_read_without_an_error(value):
    read_reply(json.dumps({"descriptions": value}), 5)
    read_reply(json.dumps(value), 5)


def test_threads_that_come_at_once_load_the_languages_once(monkeypatch):
    """Several that did at once failed at times (SystemError of Python 3.11's parser), and took a second each."""
    loaded: list[str] = []
    load = langid._load_identifier
    monkeypatch.setattr(langid, "IDENTIFIER", None)
    monkeypatch.setattr(langid, "_load_identifier", lambda *given: loaded.append("once") or load(*given))
    texts = ["Rows of houses along straight streets, seen from above."] * 16
    with ThreadPoolExecutor(16) as pool:
        assert not any(pool.map(lambda text: wrong_language(text, "English"), texts))
    assert loaded == ["once"]

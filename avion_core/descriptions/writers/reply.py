"""Reading what a language model replies: JSON as asked, or as much of it as can be made out.

Models think aloud, wrap JSON in code fences, stop in the middle, give lists where objects were asked for or one object
a line, or say no. What can be used is kept; everything else is counted, with its reason, and shown.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field

from avion_core.descriptions.cleaning import cleaned, no_description
from avion_core.descriptions.importing import MOST_CHARACTERS
from avion_core.descriptions.schema import folded
from avion_core.reading import storable, tokenizer_mark, whole

_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n?(.*?)(?:\n?```\s*)?$", re.DOTALL)
_THOUGHTS = re.compile(r"\A(?!\s*(?:[\[{\"]|```)).*?</think>|\A\s*<think>.*", re.DOTALL | re.IGNORECASE)
"""Up to the end of the thoughts, whose beginning a server may have kept to itself; or all, where they break off."""
_START = re.compile(r'("(?:viewpoint|visual_cues|spatial_cues)"\s*:\s*)?[\[{]')
"""Where JSON may begin, but for the cues of one description."""
_MOST_STARTS = 1000
_DECODER = json.JSONDecoder(strict=False, parse_int=whole)
"""Takes line breaks and tabs inside a text as they are: models write them."""

Language = Literal[
    "English", "Arabic", "Chinese", "Dutch", "French", "German", "Hindi", "Indonesian", "Italian", "Japanese", "Korean",
    "Polish", "Portuguese", "Russian", "Spanish", "Swedish", "Turkish", "Ukrainian", "Vietnamese",
]  # fmt: skip
_CODES = (
    *("en", "ar", "zh", "nl", "fr", "de", "hi", "id", "it", "ja"),
    *("ko", "pl", "pt", "ru", "es", "sv", "tr", "uk", "vi"),
)
LANGUAGES: dict[str, str] = dict(zip(get_args(Language), _CODES, strict=True))
"""Languages to write in, and their codes (ISO 639-1)."""

_ONE_AT_A_TIME = Lock()
_TELLING_LETTERS = 20
"""Fewer do not tell a language: "Dense." might be English or French."""


class WrittenDescription(BaseModel):
    """One description as the writer gives it."""

    text: str = Field(description="6 to 20 words on how the class looks from above")
    viewpoint: str = Field(default="", description="the words that name the viewpoint")
    visual_cues: str = Field(default="", description="objects, materials, colours, texture, shape")
    spatial_cues: str = Field(default="", description="layout, density, orientation, surroundings")


class ReplyForm(BaseModel):
    """The form of reply that writers are asked for."""

    descriptions: list[WrittenDescription]


@dataclass(frozen=True)
class Reading:
    """What a reply holds."""

    descriptions: list[WrittenDescription]
    """The usable ones, in the reply's order, each once."""
    dropped: Counter[str]
    """Reason -> how many were left out."""
    problem: str
    """Why the reply as a whole is not what was asked for, or empty."""
    shared: list[str]
    """Texts left out because another writer wrote the same."""
    cleaned: int = 0
    """Of the usable ones, how many had list marks, emphasis, HTML or introductions taken off."""


def read_reply(
    text: str,
    asked: int,
    known: Iterable[str] = (),
    language: str = "English",
    names: Iterable[str] = (),
    others: Iterable[str] = (),
) -> Reading:
    """Make out the descriptions in a reply.

    Args:
        text: the reply, word for word.
        asked: how many were asked for; those beyond are left out.
        known: texts of the class that this writer wrote before.
        language: what they should be written in, one of LANGUAGES.
        names: the class's names, which may be in any language.
        others: texts of the class that other writers wrote.
    """
    items, problem = _items(text)
    seen, taken = set(map(folded, known)), set(map(folded, others))
    shared: list[str] = []
    dropped: Counter[str] = Counter()
    kept: list[WrittenDescription] = []
    tidied = 0
    named = re.compile("|".join(map(re.escape, filter(None, names))) or r"(?!)", re.IGNORECASE)
    for item in items:
        written = _written(item)
        reason = "not a description" if written is None else _unusable(written.text, seen, named, language)
        if written is None or reason:
            dropped[reason] += 1
        elif len(kept) == asked:
            dropped["more than asked for"] += 1
        else:
            seen.add(folded(written.text))
            if folded(written.text) in taken:
                dropped["another writer's text"] += 1
                shared.append(written.text)
            else:
                kept.append(written)
                tidied += written.text != _words_of(item)
    if not kept and not problem:
        problem = "the reply holds no usable description"
    return Reading(kept, dropped, problem, shared, tidied)


def _items(text: str) -> tuple[list[Any], str]:
    """The entries of a reply's list, and what is wrong with the reply."""
    body = _THOUGHTS.sub("", text.strip().removeprefix("\ufeff"), count=1)
    if fenced := _FENCE.match(body):
        body = fenced.group(1)
    if not body.strip():
        return [], "the reply is empty"
    # The one with the most descriptions, and the first of equals: JSON in the chatter around is shorter.
    return max(_candidates(body), key=lambda one: sum(map(_is_described, one[0])))


def _candidates(body: str) -> Iterator[tuple[list[Any], str]]:
    """Each list of entries that the reply can be read as, and what is wrong with the reply if it is that one."""
    alone: list[Any] = []  # objects one after another, or those that stand whole in a list with a fault in it
    problem, end = "", 0
    for place in islice(_START.finditer(body), _MOST_STARTS):
        start = place.end() - 1
        if start < end or place.group(1):
            continue
        try:
            whole, after = _DECODER.raw_decode(body, start)
        except (ValueError, RecursionError) as error:
            # A brace in the chatter is no JSON from its first character on.
            if getattr(error, "pos", len(body)) > start + 1:
                problem = "the reply is incomplete"
            if complete := _complete_entries(body, start):
                yield complete, problem
            continue
        entries = _entries(whole)
        if entries is None:
            yield [], "the reply is not a list of descriptions"
            continue
        if entries and entries[0] is whole:
            alone.append(whole)
        else:
            yield entries, problem
        if any(map(_is_described, entries)):
            end = after
    yield alone, problem or ("" if alone else "the reply is not JSON")


def _entries(whole: Any) -> list[Any] | None:
    """The list that a JSON value holds, if any; an object that is a description, or holds no list, is its own entry."""
    if isinstance(whole, dict):
        lists = [value for value in whole.values() if isinstance(value, list)]
        alone = isinstance(whole.get("text"), str) or len(lists) != 1
        whole = whole.get("descriptions", [whole] if alone else lists[0])
    return whole if isinstance(whole, list) else None


def _complete_entries(body: str, start: int) -> list[Any]:
    """The entries that stand complete in a list that breaks off."""
    place = start + 1 if body[start] == "[" else len(body)
    found: list[Any] = []
    while place < len(body):
        while place < len(body) and body[place] in " \t\r\n,":
            place += 1
        try:
            entry, place = _DECODER.raw_decode(body, place)
        except (ValueError, RecursionError):
            break
        found.append(entry)
    return found


def _is_described(item: Any) -> bool:
    return _written(item) is not None


def _written(item: Any) -> WrittenDescription | None:
    text = _words_of(item)
    if text is None:
        return None
    item = item if isinstance(item, dict) else {}
    try:
        cues = {name: _words(item[name]) for name in WrittenDescription.model_fields if name in item and name != "text"}
    except RecursionError:
        cues = {}
    return WrittenDescription(text=cleaned(text), **cues)


def _words_of(item: Any) -> str | None:
    """The text of an entry as it was written, white space folded."""
    text = item.get("text") if isinstance(item, dict) else item
    return " ".join(text.split()) if isinstance(text, str) else None


def _words(value: Any) -> str:
    """A cue as words, in whatever form it was given."""
    match value:
        case None:
            return ""
        case list():
            return "; ".join(filter(None, map(_words, value)))
        case dict():
            return "; ".join(f"{storable(name)}: {_words(part)}" for name, part in value.items())
        case _:
            return storable(str(value))


def _unusable(text: str, seen: set[str], named: re.Pattern[str], language: str) -> str:
    if not folded(text):
        return "empty"
    if tokenizer_mark(text):
        return "a sign of the models' own"
    if no_description(named.sub("", text)):
        return "a placeholder or HTML"
    if len(text) > MOST_CHARACTERS or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        return "not a text"
    if folded(text) in seen:
        return "repeated"
    if wrong_language(named.sub("", text), language):
        return f"not {language}"
    return ""


def wrong_language(text: str, language: str) -> bool:
    """Whether a text is in another language than it should be; False for texts too short to tell by."""
    if sum(map(str.isalpha, text)) < _TELLING_LETTERS:
        return False
    # Its model is loaded by the first text, half a second, and by each thread that comes meanwhile: which is slow, and
    # fails at times in Python 3.11, whose parser of NumPy's headers is not made for several threads.
    with _ONE_AT_A_TIME:
        from py3langid import classify

        code, _ = classify(text)
    return code != LANGUAGES[language]

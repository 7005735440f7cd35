"""Reading what a language model replies: JSON as asked, or as much of it as can be made out.

Models wrap JSON in code fences, stop in the middle, give lists where objects were asked for, or say no. What can be
used is kept; everything else is counted, with its reason, and shown.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError

from avion_core.descriptions.importing import MOST_CHARACTERS
from avion_core.descriptions.schema import folded

_FENCE = re.compile(r"^\s*```[a-zA-Z]*\s*\n?(.*?)(?:\n?```\s*)?$", re.DOTALL)
_DECODER = json.JSONDecoder()

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

_TELLING_LETTERS = 20
"""Fewer do not tell a language: "Dense." might be English or French."""


class WrittenDescription(BaseModel):
    """One description as the writer gives it."""

    text: str = Field(description="6 to 20 words on how the class looks from above")
    viewpoint: str = Field(default="", description="the words that name the viewpoint")
    visual_cues: str = Field(default="", description="objects, materials, colours, texture, shape")
    spatial_cues: str = Field(default="", description="layout, density, orientation, surroundings")


class Reply(BaseModel):
    """The form of reply that writers are asked for."""

    descriptions: list[WrittenDescription]


@dataclass(frozen=True)
class Reading:
    """What a reply holds.

    descriptions: the usable ones, in the reply's order, each once. dropped: reason -> how many were left out.
    problem: why the reply as a whole is not what was asked for, or empty.
    """

    descriptions: list[WrittenDescription]
    dropped: Counter[str]
    problem: str


def read_reply(
    text: str, asked: int, known: Iterable[str] = (), language: str = "English", names: Iterable[str] = ()
) -> Reading:
    """Make out the descriptions in a reply.

    Args:
        text: the reply, word for word.
        asked: how many were asked for; those beyond are left out.
        known: texts of the class that exist.
        language: what they should be written in, one of LANGUAGES.
        names: the class's names, which may be in any language.
    """
    items, problem = _items(text)
    seen = {folded(other) for other in known}
    dropped: Counter[str] = Counter()
    kept: list[WrittenDescription] = []
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
            kept.append(written)
    if not kept and not problem:
        problem = "the reply holds no usable description"
    return Reading(kept, dropped, problem)


def _items(text: str) -> tuple[list[Any], str]:
    """The entries of a reply's list, and what is wrong with the reply."""
    body = text.strip().removeprefix("\ufeff")
    if fenced := _FENCE.match(body):
        body = fenced.group(1).strip()
    if not body:
        return [], "the reply is empty"
    start = min((place for place in (body.find("{"), body.find("[")) if place >= 0), default=-1)
    if start < 0:
        return [], "the reply is no JSON"
    try:
        whole, _ = _DECODER.raw_decode(body, start)
    except (json.JSONDecodeError, RecursionError):
        found = _complete_entries(body, start)
        return found, "the reply breaks off" if found else "the reply is no JSON"
    if isinstance(whole, dict):
        lists = [value for value in whole.values() if isinstance(value, list)]
        whole = whole.get("descriptions", lists[0] if len(lists) == 1 else [whole])
    return (whole, "") if isinstance(whole, list) else ([], "the reply is no list of descriptions")


def _complete_entries(body: str, start: int) -> list[Any]:
    """The entries that stand complete in a list that breaks off."""
    place = body.find("[", start) + 1
    found: list[Any] = []
    while 0 < place < len(body):
        while place < len(body) and body[place] in " \t\r\n,":
            place += 1
        try:
            entry, place = _DECODER.raw_decode(body, place)
        except (json.JSONDecodeError, RecursionError):
            break
        found.append(entry)
    return found


def _written(item: Any) -> WrittenDescription | None:
    if isinstance(item, str):
        item = {"text": item}
    if not isinstance(item, dict):
        return None
    fields = {name: "; ".join(map(str, value)) if isinstance(value, list) else value for name, value in item.items()}
    try:
        written = WrittenDescription.model_validate(
            {name: fields[name] for name in WrittenDescription.model_fields if fields.get(name) is not None}
        )
    except ValidationError:
        return None
    return written.model_copy(update={"text": " ".join(written.text.split())})


def _unusable(text: str, seen: set[str], named: re.Pattern[str], language: str) -> str:
    if not folded(text):
        return "empty"
    if len(text) > MOST_CHARACTERS or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        return "not a text"
    if folded(text) in seen:
        return "said already"
    if wrong_language(named.sub("", text), language):
        return f"not {language}"
    return ""


def wrong_language(text: str, language: str) -> bool:
    """Whether a text is in another language than it should be; False for texts too short to tell by."""
    if sum(map(str.isalpha, text)) < _TELLING_LETTERS:
        return False
    from py3langid import classify  # loads its model, half a second: only when replies come in

    code, _ = classify(text)
    return code != LANGUAGES[language]

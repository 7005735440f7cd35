"""Descriptions in a reply as a chat assistant shows it: JSON somewhere in it, or headings with lists, or a table.

Nothing is asked of the form: whoever has no key for a writer copies a reply from a browser. What cannot be a
description (a greeting, a closing line) is given back as such, so that it can be said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from avion_core.reading import whole

_THOUGHTS = re.compile(r"\A(?!\s*[\[{]).*?</think>", re.DOTALL | re.IGNORECASE)
_START = re.compile(r"[\[{]")
_MOST_STARTS = 1000
_DECODER = json.JSONDecoder(strict=False, parse_int=whole)
_FENCE = re.compile(r"^\s*(```|~~~)")
_ITEM = re.compile(r"^\s*(?:[-*•–+]|\(?\d{1,3}[.)])\s+(?P<said>.+)$")
_HEADING = re.compile(r"^\s*#{1,6}\s+(?P<said>.+?)\s*#*$")
_BOLD = re.compile(r"^(?:\*\*|__)(?P<said>[^*_]+?)(?:\*\*|__)\s*:?\s*$")
_BOLD_FIRST = re.compile(r"^(?:\*\*|__)(?P<said>[^*_]+?)(?::(?:\*\*|__)|(?:\*\*|__)\s*:)\s*(?P<rest>.+)$")
_OUTER = re.compile(r"^\|+|(?<!\\)\|+$")
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"^\d{1,3}[.)]\s+")
_LEAST_SHARE = 1 / 3
"""Of a reply's characters: JSON that is less of it is something in the chatter."""
_MOST_WORDS_OF_A_NAME = 8
_FEWEST_WORDS_OF_A_TEXT = 4
_CLASS_FIELDS = ("class_key", "class", "label", "class_name", "category", "name")
_TEXT_FIELDS = ("text", "description", "sentence", "caption")


class PastedText(NamedTuple):
    """One text of a reply."""

    where: str
    """Where it stands, for messages."""
    label: str
    """Its class as written; "" where the reply names none."""
    text: str
    chatter: bool = False
    """It stands beside the lists: what the assistant said around them."""


def pasted_texts(reply: str) -> list[PastedText]:
    """Every text of a reply, in its order.

    Args:
        reply: the reply, word for word. JSON in it is taken first, in any of the forms that files may have; then a
            Markdown table of two columns; then headings (or bold words, or a line that ends in a colon) with lists.
    """
    body = _THOUGHTS.sub("", reply.removeprefix("\ufeff"), count=1)
    return _from_json(body) or list(_from_table(body)) or _from_lists(body)


def _from_json(body: str) -> list[PastedText]:
    found, end, held = list[PastedText](), 0, 0
    for place in islice(_START.finditer(body), _MOST_STARTS):
        if place.start() < end:
            continue
        try:
            value, after = _DECODER.raw_decode(body, place.start())
        except (ValueError, RecursionError):
            continue
        line = body.count("\n", 0, place.start()) + 1
        texts = list(_of_value(value, ""))
        found += [PastedText(f"JSON at line {line}, text {n}", *one) for n, one in enumerate(texts, start=1)]
        if texts:
            end, held = after, held + after - place.start()
    return found if held >= _LEAST_SHARE * len(body.strip()) else []


def _of_value(value: Any, label: str) -> Iterator[tuple[str, str]]:
    """(class as written, text) of a JSON value, whatever its shape."""
    if isinstance(value, str):
        yield label, value
    elif isinstance(value, list):
        for entry in value:
            yield from _of_value(entry, label)
    elif isinstance(value, dict):
        own = next((str(value[name]) for name in _CLASS_FIELDS if isinstance(value.get(name), str)), label)
        text = next((value[name] for name in _TEXT_FIELDS if isinstance(value.get(name), str)), None)
        if text is not None:
            yield own, text
            return
        for name, part in value.items():
            if isinstance(part, list | dict):
                # "descriptions" and the like name a list, not a class.
                named = own if name.lower().rstrip("s") in (*_TEXT_FIELDS, "classe", "class", "item") else str(name)
                yield from _of_value(part, named)


def _from_table(body: str) -> Iterator[PastedText]:
    """A Markdown table whose columns say which is the class and which the text."""
    columns: tuple[int, int] | None = None
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip().startswith("|"):
            columns = None
            continue
        cells = [cell.replace("\\|", "|").strip() for cell in _BETWEEN_CELLS.split(_OUTER.sub("", line.strip()))]
        names = [cell.strip("*_ ").lower() for cell in cells]
        if columns is None:
            of_class = next((names.index(name) for name in _CLASS_FIELDS if name in names), None)
            of_text = next((names.index(name) for name in _TEXT_FIELDS if name in names), None)
            columns = None if of_class is None or of_text is None else (of_class, of_text)
        elif len(cells) > max(columns) and not all(set(cell) <= set(":-") for cell in cells):
            yield PastedText(f"line {number}", cells[columns[0]].strip("*_ "), cells[columns[1]])


def _from_lists(body: str) -> list[PastedText]:
    lines = [(number, line) for number, line in enumerate(body.splitlines(), start=1) if line.strip()]
    lines = [(number, line) for number, line in lines if not _FENCE.match(line)]
    listed = any(_ITEM.match(line) and not _name_of(line) for _, line in lines)
    label, found = "", list[PastedText]()
    for number, line in lines:
        where = f"line {number}"
        item = _ITEM.match(line)
        said = item["said"].strip() if item else line.strip()
        if name := _name_of(line):
            label = name
        elif bold := _BOLD_FIRST.match(said):
            found.append(PastedText(where, bold["said"].strip(), bold["rest"]))
        elif item or (not listed and len(said.split()) >= _FEWEST_WORDS_OF_A_TEXT):
            found.append(PastedText(where, label, said))
        else:
            found.append(PastedText(where, label, said, chatter=True))
    return found


def _name_of(line: str) -> str:
    """The class that a line names as a heading; "" where it is none."""
    if heading := _HEADING.match(line):
        return _NUMBER.sub("", heading["said"].strip("*_ :")).strip("*_ :")
    item = _ITEM.match(line)
    said = item["said"].strip() if item else line.strip()
    if bold := _BOLD.match(said):
        return _NUMBER.sub("", bold["said"].strip(" :"))
    if said.endswith(":") and len(said.split()) <= _MOST_WORDS_OF_A_NAME:
        return said.strip("*_ :")
    return ""

"""JSON and the values in it, bounded before anything else meets them.

Python's own parser stops at deep nesting with a RecursionError, at long numbers with a ValueError, and takes numbers
past 64 bits, halves of surrogate pairs and NUL, which then fail in an array, a file or the database.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from avion_core.reading.files import read_text
from avion_core.reading.subject import Subject

T = TypeVar("T")
Pairs = Callable[[list[tuple[str, Any]]], Any]

MOST_DEPTH = 64
"""Lists and objects inside one another."""
MOST_COUNT = 2**31 - 1
"""What a whole number in the database can be."""
FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Of points in time: years 1 and 9999 have moments that no other time zone has."""

_MOST_DIGITS = 19
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_MARK = re.compile(r"(?i:<(?:start|end)_of_text>)|\[(?:CLS|SEP|PAD|UNK|MASK)\]")
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # how NUL and halves of pairs stand in JSON


class _Refused(ValueError):
    """A value past its limit, found inside the parser."""


def read_json(path: Path, subject: Subject, *, as_written: bool = False) -> Any:
    """The value in a JSON file (see `parse_json`).

    Raises:
        subject.error: the file or its content cannot be used.
    """
    return parse_json(read_text(path, subject), subject, value=subject.shown(path), as_written=as_written)


def parse_json(
    text: str | bytes, subject: Subject, *, as_written: bool = False, pairs: Pairs | None = None, **value: Any
) -> Any:
    """The value of a JSON text: at most MOST_DEPTH deep, whole numbers of 64 bits, text that UTF-8 carries, no NUL.

    Args:
        as_written: leave texts as they are, for files of the studio's own that hold paths which are not UTF-8.
        pairs: makes an object of its pairs, where the last of two equal keys shall not win in silence.
        value: `value=` for messages, such as the file's name.

    Raises:
        subject.error: it is not JSON (line and column are named), or a value is past its limit.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        decoder = _DECODER if pairs is None else json.JSONDecoder(parse_int=whole, object_pairs_hook=pairs)
        found = decoder.decode(text)
        if text.count("[") + text.count("{") > MOST_DEPTH or _ESCAPED.search(text):
            check_value(found, as_written=as_written)
    except json.JSONDecodeError as error:
        line = "" if "\n" not in error.doc else f"line {error.lineno}, "
        raise subject.refused(f"is not JSON ({line}column {error.colno}: {error.msg})", **value) from None
    except UnicodeDecodeError:
        raise subject.refused("is not UTF-8", "Save it again with the encoding UTF-8.", **value) from None
    except _Refused as error:
        raise subject.refused(str(error), **value) from None
    except RecursionError:
        raise subject.refused(_TOO_DEEP, **value) from None
    return found


def check_value(found: Any, *, as_written: bool = False) -> None:
    """See that a value from a parser is within the limits.

    Raises:
        ValueError: it is nested too deeply, or holds a text or a number that cannot be kept.
    """
    level = [found]
    for _ in range(MOST_DEPTH + 1):
        inside: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inside += value.values()
                inside += value.keys()
            elif isinstance(value, list):
                inside += value
            elif isinstance(value, str) and not as_written and _NO_TEXT.search(value):
                raise _Refused(f"holds a text with NUL or half a character ({value[:40]!a})")
            elif isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise _Refused(_TOO_LONG)
        if not inside:
            return
        level = inside
    raise _Refused(_TOO_DEEP)


def fitted(form: type[T], found: Any, subject: Subject, /, **value: Any) -> T:
    """A value as a type says it must be: a pydantic model, a data class, `dict[str, str]`, `list[Problem]`.

    Raises:
        subject.error: it is of another form; the first place that does not fit is named.
    """
    try:
        return _adapter(form).validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "its content"
        met = value or {"value": first["input"]}
        raise subject.refused(f"does not fit its form ({place}: {first['msg']})", **met) from None


def whole_number(value: object, most: int = MOST_COUNT) -> int | None:
    """A count from 0 to `most`, given as a number or as digits; None for anything else. A whole float is whole."""
    if isinstance(value, float) and value.is_integer():
        value = int(value) if abs(value) <= most else -1
    if isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) <= _MOST_DIGITS:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= most else None


def point_in_time(text: str) -> datetime | None:
    """An ISO 8601 point in time with its time zone, from FIRST_YEAR to LAST_YEAR; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
            return None
        moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
    return moment


def is_storable(text: str) -> bool:
    """Whether UTF-8 and every database take a text: no NUL, and no half of a surrogate pair."""
    return _NO_TEXT.search(text) is None


def storable(text: str) -> str:
    """The text with a replacement character for each NUL and each half of a surrogate pair."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


def tokenizer_mark(text: str) -> str:
    """What of a text a tokenizer takes for the beginning or end of all text, or another sign of its own; "" if none.

    CLIP's tokenizer resolves HTML entities twice, folds the case and other forms of letters, and then reads
    `<end_of_text>` as such: what stands after it is never read. BERT's, the demo teacher's, has `[SEP]` and others.
    """
    if "<" not in text and "[" not in text and "&" not in text and text.isascii():
        return ""
    found = _MARK.search(unicodedata.normalize("NFKC", html.unescape(html.unescape(text))))
    return found.group() if found else ""


def refuse_mark(text: str, subject: Subject, *, shown: int | None = None) -> None:
    """Let no text pass that holds a `tokenizer_mark`.

    Args:
        subject: as the message names it, with its kind of error and the way out.
        shown: how much of the text the message repeats; None for all.

    Raises:
        subject.error: it holds one.
    """
    if mark := tokenizer_mark(text):
        raise subject.refused(f"holds {mark}, which the models read as a sign of their own", value=text[:shown])


_TOO_DEEP = f"is nested more than {MOST_DEPTH} levels deep"
_TOO_LONG = "holds a whole number of more than 64 bits"


def whole(digits: str) -> int:
    """A whole number as JSON writes it.

    Raises:
        ValueError: it has more than 64 bits, or thousands of digits.
    """
    if len(digits.lstrip("-")) > _MOST_DIGITS:
        raise _Refused(_TOO_LONG)
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise _Refused(_TOO_LONG)
    return number


_DECODER = json.JSONDecoder(parse_int=whole)


@lru_cache(maxsize=64)
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)

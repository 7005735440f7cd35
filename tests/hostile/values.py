"""Hostile values, and documents with one of them in each place in turn."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from avion_core.errors import AvionError

VALUES = (
    "null", "true", "0", "-1", "1.5", "1e999", "NaN", "9223372036854775808", "9" * 5000, '""', '"x"', '" "',
    '"\\u0000"', '"\\ud800"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"', '"../../x"',
    '"http://[::1"', json.dumps("y" * 20_000), "[]", "{}", "[[]]", '{"a": {"b": []}}', "[" * 2000 + "]" * 2000,
)  # fmt: skip
"""As JSON writes them."""

EVERY = 1 if os.environ.get("AVION_HOSTILE") == "all" else 7
"""Of all documents, every how many-th is tried: AVION_HOSTILE=all tries each."""

_PLACE = "@@here@@"


def documents(sound: Any) -> Iterator[str]:
    """JSON texts of a sound document with one value, or one key, replaced by each hostile one."""
    count = 0
    for changed in _changed(sound):
        text = json.dumps(changed)
        for value in VALUES:
            count += 1
            if count % EVERY == 0:
                yield text.replace(json.dumps(_PLACE), value)


def only_sentences(read: Callable[[str], object], texts: Iterator[str]) -> None:
    """See that reading each text succeeds or is refused in a sentence that can be shown."""
    tried = 0
    for text in texts:
        tried += 1
        try:
            read(text)
        except AvionError as error:
            sentence = error
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} at {text[:300]!r}") from error
        else:
            continue
        assert sentence.hint
        assert len(str(sentence).encode()) < 10_000
    assert tried


def _changed(value: Any) -> Iterator[Any]:
    yield _PLACE
    if isinstance(value, dict):
        for key in value:
            yield {name: inner for name, inner in value.items() if name != key}
            for inner in _changed(value[key]):
                yield {**value, key: inner}
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            for inner in _changed(entry):
                yield [*value[:place], inner, *value[place + 1 :]]

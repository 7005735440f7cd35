"""Which class of a project somebody may have meant by a name that none of them has, "Highway or Road" say.

Only a suggestion, for a person to confirm: likeness of letters is no likeness of meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from avion_core.data.class_names import prompt_name

LEAST_LIKENESS = 80.0
"""Percent; below it no class is suggested."""
_SHARE_OF_WORDS = 0.7
"""Of the likeness, how much comes from shared words in any order; the rest from the letters in theirs."""


def suggested_classes(written: Iterable[str], class_names: Mapping[str, str]) -> dict[str, str]:
    """Name as written -> key of the class whose key or prompt name is most like it; "" where none is like it.

    Args:
        class_names: class key -> prompt name.
    """
    words = {key: {name.lower(), prompt_name(key)} for key, name in class_names.items()}
    return {name: _most_like(name, words) for name in written}


def _most_like(written: str, words: Mapping[str, set[str]]) -> str:
    scored = [(max(_likeness(prompt_name(written), name) for name in names), key) for key, names in words.items()]
    best, key = max(scored, key=lambda pair: pair[0], default=(0.0, ""))  # of equals the first
    return key if best >= LEAST_LIKENESS else ""


def _likeness(one: str, other: str) -> float:
    """0 to 100."""
    from rapidfuzz import fuzz

    return _SHARE_OF_WORDS * fuzz.token_set_ratio(one, other) + (1 - _SHARE_OF_WORDS) * fuzz.ratio(one, other)

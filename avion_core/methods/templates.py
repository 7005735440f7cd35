"""Sentences around a class name for an ensemble of zero-shot texts, written for views from above."""

from __future__ import annotations

from itertools import product

_KINDS = ("satellite photo", "satellite image", "aerial photo", "aerial image", "aerial view", "overhead image")
_FORMS = ("{a} {kind} of {{}}.", "{a} {kind} showing {{}}.", "{a} {quality} {kind} of {{}}.")
_QUALITIES = ("clear", "high-resolution")


def _article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"


_MADE = [
    form.format(a=_article(quality if "{quality}" in form else kind), kind=kind, quality=quality)
    for kind, form, quality in product(_KINDS, _FORMS, _QUALITIES)
]
TEMPLATES: tuple[str, ...] = (
    *dict.fromkeys(_MADE),
    "a remote sensing image of {}.",
    "a remote sensing scene of {}.",
    "{} seen from above.",
    "{} in a satellite photo.",
    "a bird's-eye view of {}.",
    "a top-down view of {}.",
)
"""Thirty sentences, `{}` once in each."""

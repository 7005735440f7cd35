"""Texts without what belongs to the page they were copied from: list marks, emphasis, HTML; and what is no text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from avion_core.descriptions.sentences import LIST_ITEM

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BREAK_TAG = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|h[1-6])(?:\s[^<>]*)?/?>", re.I)
_FORMAT_TAG = re.compile(r"</?(?:b|i|u|em|strong|span|font|small|mark|sub|sup|code|td|th)(?:\s[^<>]*)?/?>", re.I)
_OTHER_TAG = re.compile(r"</?(?:a|img|script|style|iframe|svg|object|embed|form|input|table|html|body)\b[^<>]*>?", re.I)
_HEADING = re.compile(r"^(?:#{1,6}|>+)[ \t]+")
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\((?:[^()]|\([^()]*\))*\)")
"""A picture or a link: of the one nothing stays, of the other its words."""
_BOLD = re.compile(r"(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1")
_ITALIC = re.compile(r"(?<![\w*_])([*_`])(?=[^\s*_`])([^*_`]+?)(?<=\S)\1(?![\w*_])")
_QUOTED = re.compile(r"^(?:\"([^\"]+)\"|“([^”]+)”)$")
_PLACEHOLDER = re.compile(
    r"\{[\w .-]{0,40}\}|%s\b|^[<\[][\w .-]{0,40}[>\]]$"
    r"|[<\[](?:the |your |insert |name of (?:the )?)?(?:class|category|label|object|land[ -]?(?:cover|use))"
    r"(?:[ _-]?(?:name|key|here))?[>\]]",
    re.IGNORECASE,
)
# What a request says of its fields; a model that copies the form copies these as well.
_OF_THE_FORM = ("words on how the class looks from above", "the words that name the viewpoint")


def without_markup(text: str) -> str:
    """HTML's references as the signs that they stand for, its line breaks as line breaks, its formatting gone."""
    for _ in range(2):  # what was escaped twice is no rarer than what was escaped once
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return _FORMAT_TAG.sub("", _BREAK_TAG.sub("\n", text))


def cleaned(text: str) -> str:
    """One description, white space folded, without list mark, emphasis, heading, HTML and quotation marks around it."""
    text = " ".join(without_markup(text).split())
    while text != (text := _once(text)):  # "- **1. From above ...**"
        pass
    return text


def _once(text: str) -> str:
    text = _HEADING.sub("", LIST_ITEM.sub("", text, count=1) if LIST_ITEM.match(text) else text)
    text = _LINK.sub(lambda found: "" if found[1] else found[2], text)
    text = _ITALIC.sub(r"\2", _BOLD.sub(r"\2", text))
    quoted = _QUOTED.match(text)
    return (quoted[1] or quoted[2] if quoted else text).strip()


def no_description(text: str, names: Iterable[str] = ()) -> str:
    """Why a cleaned text describes nothing, as the end of "the text ..."; empty where it may.

    Args:
        names: the class's, which may be written as no text is.
    """
    for name in filter(None, names):
        text = text.replace(name, "")
    if found := _PLACEHOLDER.search(text):
        return f"holds a placeholder, {found[0]}"
    if found := _OTHER_TAG.search(text):
        return f"holds HTML, {found[0][:40]}"
    return "repeats the form that was asked for" if any(words in text.casefold() for words in _OF_THE_FORM) else ""

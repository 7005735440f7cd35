"""Texts without what belongs to the page or chat they were copied from: list marks, emphasis, HTML, introductions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from avion_core.descriptions.sentences import LIST_ITEM, sentences

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
_NOUN = r"(?:descriptions?|captions?|sentences?|examples?|texts?|options|variations|prompts?|phrases)"
_OPENER = re.compile(
    r"^(?:(?:sure|certainly|absolutely|of course|okay|ok|alright)(?: thing)?(?:!|[,.:](?=\s+(?:here|below)\b))"
    r"|great!|got it!)\s*",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(
    rf"^(?:here(?:'s|’s| is| are)|below (?:is|are)|(?:the )?following (?:is|are)|these are)\b[^:.!?]{{0,120}}"
    rf"(?:\b{_NOUN}\b[^:.!?]{{0,120}}:|\b(?:descriptions?|captions?|sentences)\b[^:.!?]{{0,120}}[.!]?$)\s*",
    re.IGNORECASE,
)
"""What a chat says before its texts; it says of what, so that "Here are rows of roofs" is a description."""
_NUMBERED = re.compile(
    r"^(?:(?:description|caption|sentence|text|option|variation|example)\s*(?:no\.?|number|#)?\s*\d{1,3}"
    r"(?:\s*[:.)]|\s+[-–—]|\s*$)|(?:description|caption)s?\s*(?::|$))\s*",
    re.IGNORECASE,
)
_HEADING_LINE = re.compile(
    r"^(?:[^\s:.!?]+\s+){0,8}(?:descriptions?|captions?)(?:\s+[^\s:.!?]+){0,10}\s*:$", re.IGNORECASE
)
_CHAT = re.compile(
    r"^(?:let me know\b|i hope (?:this|these|that)\b|feel free to\b|would you like (?:me|more)\b|happy to help\b"
    r"|do you (?:want|need) (?:me|more)\b|if you(?:'d| would|’d)? (?:like|need|want)\b.*\b(?:let me know|more)\b"
    rf"|(?:please )?note that these {_NOUN}\b|(?:sure|certainly|absolutely|of course|okay)[!.]?$)",
    re.IGNORECASE,
)
_OF_ITSELF = re.compile(
    r"^(?:as an ai\b|(?:(?:i apologi[sz]e|i(?:'m|’m| am) sorry|sure|certainly|of course)[,!]? (?:but )?)?"
    r"i(?:(?:'m|’m| am) (?:unable|not able|an ai)|can(?:not|'t|’t)| can(?:not|'t|’t)| can (?:help|certainly|suggest)"
    r"|(?:'d|’d| would) be (?:happy|glad)|(?:'ll|’ll| will) do my best)\b)",
    re.IGNORECASE,
)
"""What a model says of itself, as a sentence that stands alone; after one, a longer text may still describe."""
_STILL_DESCRIBES = re.compile(r"\bbut\s+(?!i\b|i['’]m\b)(?:\S+\s+){7}", re.IGNORECASE)
"""... and so may the rest of the sentence: "I cannot show one, but a typical highway is a long straight strip"."""
# What a request says of its fields; a model that copies the form copies these as well.
_OF_THE_FORM = ("words on how the class looks from above", "the words that name the viewpoint")


def without_markup(text: str) -> str:
    """HTML's references as the signs that they stand for, its line breaks as line breaks, its formatting gone."""
    for _ in range(2):  # what was escaped twice is no rarer than what was escaped once
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return _FORMAT_TAG.sub("", _BREAK_TAG.sub("\n", text))


def cleaned(text: str) -> str:
    """One description, white space folded, without list mark, emphasis, heading, HTML and quotation marks around it.

    What a chat says before it goes too: "Sure! Here is a description:", "Description 3:". Of a line that is nothing
    else, nothing stays.
    """
    text = " ".join(without_markup(text).split())
    while text != (text := _once(text)):  # "- **1. From above ...**"
        pass
    return text


def _once(text: str) -> str:
    text = _HEADING.sub("", LIST_ITEM.sub("", text, count=1) if LIST_ITEM.match(text) else text)
    text = _LINK.sub(lambda found: "" if found[1] else found[2], text)
    text = _ITALIC.sub(r"\2", _BOLD.sub(r"\2", text))
    text = without_chat(text)
    quoted = _QUOTED.match(text)
    return (quoted[1] or quoted[2] if quoted else text).strip()


def without_chat(text: str) -> str:
    """A text without what a chat says before it, once; "" for one that a chat says beside its descriptions."""
    of_itself = _OF_ITSELF.match(text) and len(sentences(text)) == 1 and not _STILL_DESCRIBES.search(text)
    if _CHAT.match(text) or _HEADING_LINE.match(text) or of_itself:
        return ""
    return _OPENER.sub("", _NUMBERED.sub("", _LEAD_IN.sub("", text)))


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

"""Long replies cut into sentences, for RS-Flag wants 6 to 20 words (docs/method.md section 1)."""

from __future__ import annotations

import re

# A full stop after these ends no sentence, even before a capital or a digit.
ABBREVIATIONS = frozenset(
    {"e.g", "i.e", "approx", "ca", "cf", "vs", "fig", "figs", "no", "nos", "st", "mt", "dr", "u.s"}
)

# "1. ", "2) ", "- " and "• " open an item of a list: at the start of a line, or glued to the end of what stands before.
LIST_ITEM = re.compile(r"(?:^|(?<=[.:;!?]))[ \t]*(?:[-*•‣–]|\(?\d{1,2}[.)]+)(?=[ \t]|$)[ \t]*", re.MULTILINE)
BREAK = re.compile(r"\n\s*\n|\0")
# Punctuation, a closing quote or bracket, then white space, or a capital glued on ("the field.Trees stand").
END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9]|\s*$|(?<=[a-z][.!?])[A-Z][a-z])")


def sentences(text: str) -> list[str]:
    """Sentences and list items of a text, white space folded, list marks dropped.

    Full stops in abbreviations, initials, decimals and ranges end nothing; pieces without a letter are left out.
    """
    pieces = [
        " ".join(sentence.split()) for block in BREAK.split(LIST_ITEM.sub("\0", text)) for sentence in _ended(block)
    ]
    return [piece for piece in pieces if any(character.isalpha() for character in piece)]


def _ended(block: str) -> list[str]:
    found, start = [], 0
    for match in END.finditer(block):
        if match.group() == "." and _abbreviated(block[start : match.start()]):
            continue
        found.append(block[start : match.end()])
        start = match.end()
    return [*found, block[start:]]


def _abbreviated(before: str) -> bool:
    word = before.split()[-1].lstrip("([\"'“‘") if before.split() else ""
    return word.casefold() in ABBREVIATIONS or (len(word) == 1 and word.isupper())

"""What is known about one description (docs/method.md section 1)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class DescriptionRecord:
    """One candidate text of a class and where it came from.

    `parent` is the long text that this one is a sentence of, or empty. `created_at` is ISO 8601, or empty when the
    source does not say. Token counts are those of the writer's reply.
    """

    description_id: str
    class_key: str
    text: str
    writer: str = ""
    model: str = ""
    prompt_version: str = ""
    viewpoint: str = ""
    visual_cues: str = ""
    spatial_cues: str = ""
    raw_reply: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    created_at: str = ""
    parent: str = ""


_TELLING = re.compile(r"[^\W_]+|[<>≤≥±=+%]|(?<!\w)[-\u2212](?=\d)")
"""Words, and signs that make another text: "below -5", ">30 % trees"."""


def folded(text: str) -> str:
    """The text without what does not make it another text: case, punctuation, dashes and white space."""
    telling = _TELLING.findall(unicodedata.normalize("NFKC", text).casefold())
    return " ".join(telling).replace("\u2212", "-") if any(map(str.isalnum, telling)) else ""


def description_id(class_key: str, text: str) -> str:
    """The same for every spelling of the same text of a class, on every machine: 32 hexadecimal digits."""
    return hashlib.sha256(f"{class_key}\n{folded(text)}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class PastDecision:
    """One row of a description's history, as it travels between studios.

    A decision is known by its token, wherever it goes. `undoes` is the token of the decision that an undo takes back.
    `created_at` is ISO 8601 with its time zone. `verdict` is accept, reject, edit, undecide, skip or undo.
    """

    token: str
    verdict: str
    text: str
    reviewer: str
    created_at: str
    reason: str = ""
    rule_version: int = 0
    batch: str | None = None
    adjudicates: bool = False
    undoes: str | None = None

"""What is known about one description (METHOD.md, section 1)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
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


def folded(text: str) -> str:
    """The text without what does not make it another text: case, punctuation, dashes and white space."""
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))


def description_id(class_key: str, text: str) -> str:
    """The same for every spelling of the same text of a class, on every machine: 32 hexadecimal digits."""
    return hashlib.sha256(f"{class_key}\n{folded(text)}".encode()).hexdigest()[:32]

"""What no wait cures of what a service says: known by its words, since a full minute and no credit have one code."""

from __future__ import annotations

import json
import re
from typing import Any

from avion_core.descriptions.writers.writer import WriterError
from avion_core.reading import storable

_LONGEST = 160

_REGION = (
    r"location is not supported|unsupported_country|country, region,? or territory"
    r"|not available in your (country|region)"
)
_SPENDING = (
    r"spend(ing)?[ _-](cap|limit)|hard[ _]limit|(monthly|usage) (budget|limit)|budget (has been )?(exceeded|reached)"
)
_BILLING = (
    r"insufficient[ _](quota|credits?|balance|funds)|credit balance|credits? (are|is|have been) (depleted|exhausted)"
    r"|billing[ _](disabled|not[ _]active)|enable billing|billing (account )?(is not|to be|must be) |payment required"
    r"|account (is )?(deactivated|suspended)|exceeded your current quota, please check your plan"
)
_NO_QUOTA = r"\blimit: 0(?![.\d])|'quotaValue': '0'|\"quotaValue\": \"0\""
_HOURS = r"24[ _-]?h(?:(?:ou)?rs?)?\b"
_DAY = (
    r"PerDay|per[ _-](calendar[ _-])?day|(requests|tokens|calls|times) (a|each|every) day|\bdaily\b|\b[RT]PD\b"
    r"|free-models-per-day|for (today|the day)\b|today's (quota|limit|allowance|requests|tokens)|\bday's (quota|limit)"
    rf"|\b(rolling|last|past|previous|every|each|per|in|a|next) {_HOURS}|{_HOURS}[ _-](window|period|quota|limit|cycle)"
    r"|\b(reset|resume|renew|refill|refresh|replenish|available|again|back|wait|until)\w*[^.;]{0,40}"
    r"\b(tomorrow|midnight|next day)\b"
)
_LONGER = (
    r"Per(Week|Month)|per[ _-](calendar[ _-])?(week|month)|(requests|tokens|calls|times) (a|each|every) (week|month)"
    r"|\b(weekly|monthly)[ _-](\w+[ _-])?(quota|limit|allowance|allotment|requests?|tokens?|usage|plan)"
    r"|(this|the) (week|month)'s (quota|limit|allowance)|for (this|the) (week|month|billing (period|cycle))\b"
    r"|\breset\w*[^.;]{0,40}\b(next (week|month|billing)|first of|1st of|(mon|tues|wednes|thurs|fri|satur|sun)day)"
)
_SOME_HOURS = (
    r"\b(reset|retry|again|available|wait|back)\w*[^.;]{0,40}?\b(in|for|after) (about |around |another )?"
    r"(\d+ ?d(ays?)?\b|\d+ ?h(?![a-z]))|\b(reset|retry|again|available|wait|back)\w*[^.;]{0,40}?\b(in|for|after) "
    r"(about |around |another )?(\d+|a few|several|some|an|two|three) ?(hours?|hrs?|days?)\b"
)

_WHEN_THERE_IS = "Resume it when there is quota again, or raise the quota."
_KINDS = (
    (_REGION, "the service does not answer in this region", "Use another writer, or a model on this machine."),
    (_NO_QUOTA, "the account has no quota for this model", "Choose another model, or set up billing for the account."),
    (_DAY, "the writer's quota for the day is used up", _WHEN_THERE_IS),
    (_SPENDING, "the account's spending limit is reached", "Raise it with the service, then resume."),
    (_BILLING, "the account has no credit left, or no billing", "Add credit or billing, or use another writer."),
    (_LONGER, "the writer's quota for the week or month is used up", _WHEN_THERE_IS),
    (_SOME_HOURS, "the writer's quota is used up for hours", _WHEN_THERE_IS),
)


def no_wait_cures(code: object, said: str, *, key: str, quotas: bool = False) -> WriterError | None:
    """The error to end a job with, in the service's own sentence; None where asking again may help.

    Args:
        said: all that the service said, its codes included.
        key: the API key, which a service may repeat.
        quotas: its sentence about plan and billing is said of any quota, also of one that is renewed every minute.
    """
    for pattern, what, hint in _KINDS:
        words = said.replace("exceeded your current quota, please check your plan", "") if quotas else said
        if re.search(pattern, words, re.IGNORECASE):
            return WriterError(what, f"{hint} The descriptions so far are saved.", value=shown(code, said, key))
    return None


def shown(code: object, said: str, key: str) -> str:
    """What a service said, as one line that may be stored: its own sentence, without the key."""
    words = " ".join(storable(_sentence(said)).split())
    words = words.replace(key, "***") if key else words
    words = words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"
    return " ".join(filter(None, (str(code or ""), f"“{words}”" if words else "")))


def in_words(error: Any) -> str:
    """The error of a reply in whatever form, as text with its code and type."""
    return error if isinstance(error, str) else "" if error is None else json.dumps(error, ensure_ascii=False)


def _sentence(said: str) -> str:
    """Of an error as JSON, its message."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return said
    for _ in range(3):
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, dict):
            found = next((found[name] for name in ("error", "message", "detail", "msg") if found.get(name)), said)
    return found if isinstance(found, str) else said

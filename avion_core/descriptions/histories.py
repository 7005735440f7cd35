"""Histories in files: the decisions on one description, as lists of JSON objects."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from avion_core.descriptions.schema import PastDecision
from avion_core.errors import DescriptionError
from avion_core.reading import MOST_COUNT, Subject, is_storable, parse_json, point_in_time, whole_number

_CELL = Subject("its history", DescriptionError)
VERDICTS = ("accept", "reject", "edit", "undecide", "skip", "undo")
MOST_TOKEN_CHARACTERS = 64
MOST_BATCH_CHARACTERS = 32

_NAMES = tuple(entry.name for entry in fields(PastDecision))
_TEXTS = ("token", "verdict", "text", "reviewer", "created_at")


def past_decisions(history: Any) -> tuple[list[PastDecision], list[str]]:
    """The decisions that a file lists for one description.

    Args:
        history: a list of objects with the fields of PastDecision, or that list as JSON text (a cell of a CSV).

    Returns:
        The usable ones in the order given, each token once, and one sentence for each of the others.
    """
    if isinstance(history, str):
        try:
            history = parse_json(history or "[]", _CELL)
        except DescriptionError as error:
            return [], [f"{error.what}."]
    if not isinstance(history, list):
        return [], ["its history is not a list."]
    decisions: dict[str, PastDecision] = {}
    problems = []
    for number, entry in enumerate(history, start=1):
        problem = _problem(entry, decisions)
        if problem:
            problems.append(f"decision {number} of its history {problem}.")
            continue
        given = {name: entry[name] for name in _NAMES if entry.get(name) is not None}
        decision = PastDecision(**given)
        decisions.setdefault(decision.token, decision)
    return list(decisions.values()), problems


def _problem(entry: Any, before: dict[str, PastDecision]) -> str | None:
    """Why an entry is no decision, or None. `before` are the decisions above it, by token."""
    if not isinstance(entry, dict):
        return "is not an object"
    for name in _TEXTS:
        if not isinstance(entry.get(name), str) or (name != "text" and not entry[name].strip()):
            return f"has no {name}"
    if odd := [name for name in _NAMES if isinstance(entry.get(name), str) and not is_storable(entry[name])]:
        return f"has a {odd[0]} that holds NUL or half a character"
    if entry["verdict"] not in VERDICTS:
        return f"has the verdict {entry['verdict']!r}, which is none of {', '.join(VERDICTS)}"
    if len(entry["token"]) > MOST_TOKEN_CHARACTERS:
        return f"has a token of more than {MOST_TOKEN_CHARACTERS} characters"
    if not isinstance(entry.get("batch") or "", str) or len(entry.get("batch") or "") > MOST_BATCH_CHARACTERS:
        return f"has a batch that is not text of at most {MOST_BATCH_CHARACTERS} characters"
    if not isinstance(entry.get("reason") or "", str):
        return "has a reason that is not text"
    number, adjudicates = entry.get("rule_version", 0), entry.get("adjudicates", False)
    if not isinstance(number, int) or whole_number(number) is None or not isinstance(adjudicates, bool):
        form = f"a whole number up to {MOST_COUNT:,}"
        return f"has a rule_version that is not {form}, or an adjudicates that is neither true nor false"
    if not is_moment(entry["created_at"]):
        return f"has a created_at that is not a time with a time zone: {entry['created_at']!r}"
    if (entry["verdict"] == "undo") != (entry.get("undoes") is not None):
        return "is an undo without the token it undoes, or names one without being an undo"
    if entry["verdict"] == "undo" and entry["undoes"] not in before:
        return f"undoes {entry['undoes']!r}, which does not come before it"
    return None


def is_moment(text: str) -> bool:
    """Whether a text is an ISO 8601 point in time that knows its time zone, in a year that can be meant."""
    return point_in_time(text) is not None

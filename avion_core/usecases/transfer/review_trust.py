"""Whom a returned review file may speak for: signed when its pack was made, checked when it comes back.

A pack belongs to the person it was made for. What returns with its signature may hold that person's decisions and no
one else's; what returns without one may speak for nobody who is known here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel

from avion_core.descriptions.importing import MOST_CHARACTERS, ImportResult
from avion_core.descriptions.schema import PastDecision, folded
from avion_core.errors import DescriptionError
from avion_core.files import unfinished_beside
from avion_core.reading import Subject, fitted, is_storable, parse_json, tokenizer_mark

_SECRET = "review.key"
_SECRET_BYTES = 32
_FILE = Subject("the signature of the review file", DescriptionError, "Ask the colleague to send the file again.")


class Signature(BaseModel):
    """What a pack carries, and brings home: which it is, of which project, whose, and the proof of it."""

    pack: str
    project: str
    reviewer: str
    proof: str


@dataclass(frozen=True)
class Trust:
    """Who a file may speak for."""

    reviewer: str
    """The person its pack was made for; "" where none was named, or where it carries no signature."""
    taken: frozenset[str]
    """Names that belong to people here, folded: whoever merges, whoever works here alone, accounts."""
    adjudicators: frozenset[str]
    """Those of them who may settle conflicts."""


def sign(home: Path, pack: str, project_id: str, reviewer: str) -> str:
    """The signature of a new pack, as JSON text."""
    proof = _proof(_secret(home), pack, project_id, reviewer)
    return Signature(pack=pack, project=project_id, reviewer=reviewer, proof=proof).model_dump_json()


def signed_for(home: Path, project_id: str, found: Iterable[str]) -> str:
    """The reviewer that a file's signatures name; "" where it has none, or was packed for nobody in particular.

    Raises:
        DescriptionError: it was not made here, was altered, or belongs to another project.
    """
    reviewers = set[str]()
    for text in found:
        signature = fitted(Signature, parse_json(text, _FILE), _FILE)
        proof = _proof(_secret(home), signature.pack, signature.project, signature.reviewer)
        if not hmac.compare_digest(proof.encode(), signature.proof.encode()):
            raise _FILE.refused("is not this studio's, or was altered", "Merge it where its pack was made.")
        if signature.project != project_id:
            raise _FILE.refused("is of another project's pack", "Choose the project that the pack was made from.")
        reviewers.add(signature.reviewer)
    if len(reviewers) > 1:
        raise _FILE.refused("names several reviewers", value=", ".join(sorted(reviewers)))
    return next(iter(reviewers), "")


def only_theirs(
    result: ImportResult,
    trust: Trust,
    here: Mapping[str, Sequence[PastDecision]],
    originals: Mapping[str, str],
) -> ImportResult:
    """A file with the decisions that it may bring; each of the others becomes a problem that names it.

    Args:
        here: description id -> its history in this project; what is in it already is no news.
        originals: description id -> its text as imported.
    """
    histories: dict[str, list[PastDecision]] = {}
    problems = list(result.problems)
    for key, decisions in result.histories.items():
        ours = {row.token: row for row in here.get(key, ())}
        texts = {originals.get(key, "")} | {row.text for row in ours.values() if row.verdict == "edit"}
        taken: dict[str, PastDecision] = {}
        for row in decisions:
            if row.token not in ours and (problem := _refusal(row, trust, ours | taken, texts)):
                problems.append(f"the {row.verdict} by {row.reviewer} on {key[:12]} {problem}.")
                continue
            taken[row.token] = row
            if row.verdict == "edit":
                texts.add(row.text)
        histories[key] = list(taken.values())
    return replace(result, histories=histories, problems=problems)


def _refusal(row: PastDecision, trust: Trust, before: Mapping[str, PastDecision], texts: set[str]) -> str:
    """Why a decision from elsewhere is not taken; "" where it is."""
    name = row.reviewer.strip().casefold()
    owner = trust.reviewer.strip().casefold()
    if owner and name != owner:
        return f"is not taken: the pack was made for {trust.reviewer}"
    if not owner and name in trust.taken:
        return "is not taken: the file does not prove that it comes from that person; make a pack for them"
    if row.adjudicates and name not in trust.adjudicators:
        return "is not taken: it settles a conflict, which this person may not"
    if row.verdict == "undo":
        undone = before.get(row.undoes or "")
        if undone is None or undone.reviewer.strip().casefold() != name:
            return "is not taken: it undoes a decision of somebody else, or none"
        return ""
    if mark := tokenizer_mark(row.text):
        return f"is not taken: its text holds {mark}, a sign of the models' own"
    if not is_storable(row.text) or len(row.text) > MOST_CHARACTERS or not folded(row.text):
        return f"is not taken: its text is empty, cannot be stored, or has more than {MOST_CHARACTERS} characters"
    if row.verdict != "edit" and row.text not in texts:
        return "is not taken: it is about a text that the description never had here"
    return ""


def effects(fresh: Iterable[tuple[str, PastDecision]], class_of: Mapping[str, str]) -> list[str]:
    """What each decision does, one sentence each."""
    does = {
        "accept": "accepts", "reject": "rejects", "edit": "edits to", "undecide": "withdraws the verdict on",
        "skip": "skips", "undo": "undoes their decision on",
    }  # fmt: skip
    return [
        f"{row.reviewer} {does[row.verdict]} “{row.text}” ({class_of.get(key, key)})"
        + (", settling a conflict" if row.adjudicates else "")
        for key, row in fresh
    ]


def _proof(secret: bytes, *parts: str) -> str:
    return hmac.new(secret, json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def _secret(home: Path) -> bytes:
    """The home's secret, drawn at its first use; only its owner may read it."""
    file = home / _SECRET
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        unfinished = unfinished_beside(file)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            written.write(secrets.token_bytes(_SECRET_BYTES))
        with suppress(FileExistsError):  # of two at once, the first one's holds
            os.link(unfinished, file)
        unfinished.unlink()
    return file.read_bytes()

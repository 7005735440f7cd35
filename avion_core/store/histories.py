"""Histories out of the database and into it: verdict rows that travel, known by their tokens wherever they go."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session, aliased

from avion_core.descriptions.schema import PastDecision
from avion_core.store.database import chunks
from avion_core.store.tables import Table, Verdict, now


@dataclass(frozen=True)
class Merged:
    """What came of decisions that were brought in."""

    added: int
    """Rows written."""
    known: int
    """Rows that were there already."""
    overtaken: int
    """Of those added, decisions that do not count, because of a later one of the same person or because the text reads
    differently by now; each was taken back by a row that says so."""
    reviewers: dict[str, int]
    """Whose decisions were added, with their numbers."""
    touched: list[str]
    """The descriptions they are about."""


@dataclass(frozen=True)
class Merge:
    """Decisions that a project lacks, and what writing them comes to."""

    fresh: list[tuple[str, PastDecision]]
    """(description id, decision) in the order to write them."""
    stored: dict[str, str]
    """Every token that is in it or in the project -> the token as the project's rows have it."""
    after: dict[str, list[PastDecision]]
    """Touched description -> its history with them, the oldest first."""
    merged: Merged


def read_histories(session: Session, project_id: str) -> dict[str, list[PastDecision]]:
    """Description id -> every row about it, the oldest first, skips and undos with them."""
    names = ("id", "description_id", *(field.name for field in fields(PastDecision)))
    query = select(*(getattr(Verdict, name) for name in names)).where(Verdict.project_id == project_id)
    rows = session.execute(query.order_by(Verdict.id)).all()
    tokens = {row.id: travelling(row.token, project_id) for row in rows}
    histories: dict[str, list[PastDecision]] = {}
    for number, description_id, *values in rows:
        row = dict(zip(names[2:], values, strict=True))
        row["token"], row["created_at"] = tokens[number], row["created_at"].isoformat()
        row["undoes"] = tokens.get(row["undoes"])
        histories.setdefault(description_id, []).append(PastDecision(**row))
    return histories


def count_rows(session: Session, project_id: str) -> int:
    """How many rows the histories of a project have."""
    return session.scalar(select(func.count()).select_from(Verdict).where(Verdict.project_id == project_id)) or 0


def plan_merge(
    session: Session,
    project_id: str,
    histories: Mapping[str, Sequence[PastDecision]],
    originals: Mapping[str, str],
) -> Merge:
    """Find the decisions that the project lacks; only reads.

    What is new is to be written in the order of its dates, each description's own order kept. Nothing that was decided
    here is changed; two people who disagree are then in conflict.

    Args:
        histories: id of a description of the project -> decisions on it, the oldest first.
        originals: id of a description -> its text as imported.
    """
    rows = session.scalars(select(Verdict.token).where(Verdict.project_id == project_id))
    stored = {travelling(token, project_id): token for token in rows}
    here = read_histories(session, project_id) if histories else {}
    taken_back = {row.undoes for ours in here.values() for row in ours}
    fresh: list[tuple[str, PastDecision]] = []
    seen = set(stored)
    for description_id, decision in _by_date(histories):
        # Taken back in both places: the row that says so here is enough.
        undone = decision.undoes is not None and decision.undoes in taken_back
        if decision.token not in seen and not undone:
            fresh.append((description_id, decision))
            seen.add(decision.token)
    added = len(fresh)
    overtaken = _overtaken(here, histories, fresh, originals)
    fresh += [(description_id, _taking_back(decision)) for description_id, decision in overtaken]
    in_use = tokens_in_use(session, Verdict, (decision.token for _, decision in fresh))
    after: dict[str, list[PastDecision]] = {}
    for description_id, decision in fresh:
        stored[decision.token] = own_token(decision.token, project_id, in_use)
        after.setdefault(description_id, [*here.get(description_id, ())]).append(decision)
    merged = Merged(
        added=added,
        known=sum(map(len, histories.values())) - added,
        overtaken=len(overtaken),
        reviewers=dict(Counter(decision.reviewer for _, decision in fresh[:added])),
        touched=list(after),
    )
    return Merge(fresh, stored, after, merged)


def write_merge(session: Session, project_id: str, merge: Merge) -> None:
    """Write the decisions that a plan found. An undo finds the row it takes back by its token: it may be as new."""
    taken_back = aliased(Verdict)
    number = select(taken_back.id).where(taken_back.token == bindparam("taken_back")).scalar_subquery()
    rows = [
        {
            "project_id": project_id,
            "description_id": description_id,
            "verdict": decision.verdict,
            "text": decision.text,
            "reason": decision.reason,
            "reviewer": decision.reviewer,
            "rule_version": decision.rule_version,
            "token": merge.stored[decision.token],
            "batch": decision.batch,
            "adjudicates": decision.adjudicates,
            "taken_back": None if decision.undoes is None else merge.stored[decision.undoes],
            "created_at": moment(decision.created_at),
        }
        for description_id, decision in merge.fresh
    ]
    if rows:
        session.connection().execute(insert(Table.metadata.tables["verdicts"]).values(undoes=number), rows)


def travelling(token: str, project_id: str) -> str:
    """A token as files have it: without the mark that keeps it apart from the same decision in another project."""
    return token.removesuffix(f"~{project_id}")


def own_token(token: str, project_id: str, in_use: set[str]) -> str:
    """A token as this project's row has it. Tokens are unique in a database, and a project may be there twice."""
    return f"{token}~{project_id}" if token in in_use else token


def tokens_in_use(session: Session, table: Any, tokens: Iterable[str]) -> set[str]:
    """Which of the tokens some row of `table` has already."""
    return {
        token for some in chunks(tokens) for token in session.scalars(select(table.token).where(table.token.in_(some)))
    }


def _by_date(histories: Mapping[str, Sequence[PastDecision]]) -> Iterator[tuple[str, PastDecision]]:
    """All decisions as one sequence: whichever description's next decision is the oldest comes first."""
    queues = ([(decision, key) for decision in decisions] for key, decisions in histories.items())
    merged = heapq.merge(*queues, key=lambda entry: (moment(entry[0].created_at), entry[1]))
    return ((key, decision) for decision, key in merged)


def moment(text: str) -> datetime:
    """A point in time as files write it."""
    return datetime.fromisoformat(text)


def _overtaken(
    here: Mapping[str, Sequence[PastDecision]],
    histories: Mapping[str, Sequence[PastDecision]],
    fresh: Sequence[tuple[str, PastDecision]],
    originals: Mapping[str, str],
) -> list[tuple[str, PastDecision]]:
    """Decisions among the new ones that came too late: written down last, they would otherwise count as the newest.

    Two cases: the same person decided later, here; or the text they are about is no longer how the description reads.
    """
    fresh_of: dict[str, set[str]] = {}
    for description_id, decision in fresh:
        fresh_of.setdefault(description_id, set()).add(decision.token)
    late: list[tuple[str, PastDecision]] = []
    for description_id, tokens in fresh_of.items():
        ours = here.get(description_id)
        if not ours:
            continue
        rows = [*ours, *(row for row in histories[description_id] if row.token in tokens)]  # in the order of their ids
        written = {row.token: place for place, row in enumerate(rows)}
        newest = _newest_by_reviewer(rows)
        edits = [row for row in newest.values() if row.verdict == "edit" or row.text != originals[description_id]]
        reads = max(edits, key=lambda row: moment(row.created_at), default=None)
        for row in _holding(rows[len(ours) :]):
            last = newest[row.reviewer]
            counts = row.verdict != "undecide" or row.adjudicates
            by_text = (
                last is row
                and counts
                and reads
                and row.text != reads.text
                and written[reads.token] < written[row.token]
            )
            if written[last.token] < written[row.token] or by_text:
                late.append((description_id, row))
    return late


def _newest_by_reviewer(decisions: Sequence[PastDecision]) -> dict[str, PastDecision]:
    newest: dict[str, PastDecision] = {}
    for decision in sorted(_holding(decisions), key=lambda row: moment(row.created_at)):
        newest[decision.reviewer] = decision
    return newest


def _holding(decisions: Sequence[PastDecision]) -> list[PastDecision]:
    """Those that decide something and that nobody took back."""
    taken_back = {decision.undoes for decision in decisions}
    return [row for row in decisions if row.verdict not in ("undo", "skip") and row.token not in taken_back]


def _taking_back(decision: PastDecision) -> PastDecision:
    return PastDecision(
        token=hashlib.sha256(f"overtaken {decision.token}".encode()).hexdigest()[:32],
        verdict="undo",
        text=decision.text,
        reviewer=decision.reviewer,
        created_at=now().isoformat(),
        reason="Superseded at import: there is a later decision, or the text has changed since.",
        rule_version=decision.rule_version,
        undoes=decision.token,
    )

"""Histories out of the database and into it: verdict rows that travel, known by their tokens wherever they go."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from avion_core.descriptions.schema import PastDecision
from avion_core.store.tables import Description, Verdict, now

_A_QUERY = 500  # values in one IN (...), and rows in one INSERT


@dataclass(frozen=True)
class Merged:
    """What came of decisions that were brought in.

    added: rows written. known: rows that were there already. overtaken: of those added, decisions that do not count,
    because of a later one of the same person or because the text reads differently by now; each was taken back by a
    row that says so. reviewers: whose decisions were added, with their numbers. touched: the descriptions they are
    about.
    """

    added: int
    known: int
    overtaken: int
    reviewers: dict[str, int]
    touched: list[str]


def read_histories(session: Session, project_id: str) -> dict[str, list[PastDecision]]:
    """Description id -> every row about it, the oldest first, skips and undos with them."""
    rows = session.scalars(select(Verdict).where(Verdict.project_id == project_id).order_by(Verdict.id)).all()
    tokens = {row.id: travelling(row.token, project_id) for row in rows}
    histories: dict[str, list[PastDecision]] = {}
    for row in rows:
        decision = PastDecision(
            token=tokens[row.id],
            verdict=row.verdict,
            text=row.text,
            reviewer=row.reviewer,
            created_at=row.created_at.isoformat(),
            reason=row.reason,
            rule_version=row.rule_version,
            batch=row.batch,
            adjudicates=row.adjudicates,
            undoes=None if row.undoes is None else tokens[row.undoes],
        )
        histories.setdefault(row.description_id, []).append(decision)
    return histories


def count_rows(session: Session, project_id: str) -> int:
    """How many rows the histories of a project have."""
    return session.scalar(select(func.count()).select_from(Verdict).where(Verdict.project_id == project_id)) or 0


def merge_histories(session: Session, project_id: str, histories: Mapping[str, Sequence[PastDecision]]) -> Merged:
    """Add the decisions that the project lacks; those it has are left as they are.

    What is new is written in the order of its dates, each description's own order kept. Nothing that was decided here
    is changed; two people who disagree are then in conflict.

    Args:
        histories: id of a description of the project -> decisions on it, the oldest first.
    """
    rows = session.execute(select(Verdict.id, Verdict.token, Verdict.undoes).where(Verdict.project_id == project_id))
    places: dict[str, int] = {}
    taken_back: set[int] = set()
    for number, token, undoes in rows:
        places[travelling(token, project_id)] = number
        if undoes is not None:
            taken_back.add(undoes)
    fresh: list[tuple[str, PastDecision]] = []
    seen: set[str] = set()
    for description_id, decision in _by_date(histories):
        # Taken back in both places: the row that says so here is enough.
        told = decision.undoes is not None and places.get(decision.undoes) in taken_back
        if decision.token not in places and decision.token not in seen and not told:
            fresh.append((description_id, decision))
            seen.add(decision.token)
    known = sum(map(len, histories.values())) - len(fresh)
    elsewhere = tokens_in_use(session, Verdict, (decision.token for _, decision in fresh))
    overtaken = _overtaken(session, project_id, histories, fresh)
    fresh += [(description_id, _taking_back(decision)) for description_id, decision in overtaken]
    _write(session, project_id, fresh, places, elsewhere)
    return Merged(
        added=len(fresh) - len(overtaken),
        known=known,
        overtaken=len(overtaken),
        reviewers=dict(Counter(decision.reviewer for _, decision in fresh[: len(fresh) - len(overtaken)])),
        touched=list(dict.fromkeys(description_id for description_id, _ in fresh)),
    )


def travelling(token: str, project_id: str) -> str:
    """A token as files have it: without the mark that keeps it apart from the same decision in another project."""
    return token.removesuffix(f"~{project_id}")


def own_token(token: str, project_id: str, in_use: set[str]) -> str:
    """A token as this project's row has it. Tokens are unique in a database, and a project may be there twice."""
    return f"{token}~{project_id}" if token in in_use else token


def tokens_in_use(session: Session, table: Any, tokens: Iterable[str]) -> set[str]:
    """Which of the tokens some row of `table` has already."""
    wanted, found = list(tokens), set()
    for start in range(0, len(wanted), _A_QUERY):
        found |= set(session.scalars(select(table.token).where(table.token.in_(wanted[start : start + _A_QUERY]))))
    return found


def _by_date(histories: Mapping[str, Sequence[PastDecision]]) -> Iterator[tuple[str, PastDecision]]:
    """All decisions as one sequence: whichever description's next decision is the oldest comes first."""
    queues = ([(decision, key) for decision in decisions] for key, decisions in histories.items())
    merged = heapq.merge(*queues, key=lambda entry: (moment(entry[0].created_at), entry[1]))
    return ((key, decision) for decision, key in merged)


def moment(text: str) -> datetime:
    """A point in time as files write it."""
    return datetime.fromisoformat(text)


def _write(
    session: Session,
    project_id: str,
    fresh: Sequence[tuple[str, PastDecision]],
    places: dict[str, int],
    elsewhere: set[str],
) -> None:
    """Insert in the order given. `places` (token -> row id) grows: an undo names a row that may be as new as itself."""
    waiting: list[tuple[str, dict[str, Any]]] = []

    def flush() -> None:
        if waiting:
            found = session.scalars(
                insert(Verdict).returning(Verdict.id, sort_by_parameter_order=True), [row for _, row in waiting]
            )
            places.update(zip([token for token, _ in waiting], found, strict=True))
            waiting.clear()

    among_waiting: set[str] = set()
    for description_id, decision in fresh:
        if decision.undoes in among_waiting or len(waiting) == _A_QUERY:
            flush()
            among_waiting.clear()
        row = {
            "project_id": project_id,
            "description_id": description_id,
            "verdict": decision.verdict,
            "text": decision.text,
            "reason": decision.reason,
            "reviewer": decision.reviewer,
            "rule_version": decision.rule_version,
            "token": own_token(decision.token, project_id, elsewhere),
            "batch": decision.batch,
            "adjudicates": decision.adjudicates,
            "undoes": None if decision.undoes is None else places[decision.undoes],
            "created_at": moment(decision.created_at),
        }
        waiting.append((decision.token, row))
        among_waiting.add(decision.token)
    flush()


def _overtaken(
    session: Session,
    project_id: str,
    histories: Mapping[str, Sequence[PastDecision]],
    fresh: Sequence[tuple[str, PastDecision]],
) -> list[tuple[str, PastDecision]]:
    """Decisions among the new ones that came too late: written down last, they would otherwise count as the newest.

    Two cases: the same person decided later, here; or the text they are about is no longer how the description reads.
    """
    fresh_of: dict[str, set[str]] = {}
    for description_id, decision in fresh:
        fresh_of.setdefault(description_id, set()).add(decision.token)
    here = read_histories(session, project_id) if fresh_of else {}
    late = []
    for description_id, tokens in fresh_of.items():
        ours = here.get(description_id)
        if not ours:
            continue
        original = session.get(Description, (project_id, description_id))
        assert original is not None
        rows = [*ours, *(row for row in histories[description_id] if row.token in tokens)]  # in the order of their ids
        written = {row.token: place for place, row in enumerate(rows)}
        newest = _newest_by_reviewer(rows)
        edits = [row for row in newest.values() if row.verdict == "edit" or row.text != original.text]
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
        reason="Overtaken when it was brought in: there is a later decision, or the text reads differently by now.",
        rule_version=decision.rule_version,
        undoes=decision.token,
    )

"""What holds now of the verdicts: queries over rows that are only ever added (see `verdicts`).

A decision holds while nobody has taken it back; of one reviewer's decisions on a description the newest holds; and a
decision counts for the text it was made on, so an edit opens the question again for everybody (docs/method.md
section 3). An adjudicator's decision wins over all others on the same text.

The queries fetch plain columns: a project of 50,000 descriptions would otherwise spend its time making objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVarTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from avion_core.descriptions.schema import PastDecision
from avion_core.errors import NotFoundError
from avion_core.store.database import chunks
from avion_core.store.tables import Description, Verdict

Columns = TypeVarTuple("Columns")


@dataclass(frozen=True)
class CurrentVerdict:
    """How a description stands: what the people who decided on its present text say together."""

    verdict: Literal["accepted", "rejected", "undecided"]
    text: str
    """As it reads now, edits applied."""
    reviewer: str
    """Who decided last; the adjudicator, where one did."""
    reason: str
    decided_at: datetime
    conflict: bool
    """As many reviewers accept it as reject it, and no adjudicator has spoken; the rules decide until they agree."""
    judged_by: tuple[str, ...]
    """Everybody who accepts or rejects the present text, by name."""


class Vote(NamedTuple):
    """One reviewer's newest decision on one description, while it holds; skips do not count."""

    id: int
    description_id: str
    reviewer: str
    verdict: str
    """accept, reject, edit or undecide."""
    text: str
    reason: str
    created_at: datetime
    adjudicates: bool


def votes(
    session: Session, project_id: str, description_ids: Collection[str] | None = None, *, settling: bool = True
) -> list[Vote]:
    """Each reviewer's newest decision on each description (or just those asked for), the oldest first.

    Args:
        settling: whether an adjudicator's word counts as their newest decision; else only what they judged as one of
            the reviewers.
    """
    columns = [getattr(Verdict, name) for name in Vote._fields]
    query = holding(project_id, *columns).where(Verdict.verdict != "skip").order_by(Verdict.id)
    if not settling:
        query = query.where(Verdict.adjudicates.is_(False))
    newest: dict[tuple[str, str], Vote] = {}
    for narrowed in for_ids(query, Verdict.description_id, description_ids):
        for row in session.execute(narrowed):
            vote = Vote._make(row)
            newest[vote.description_id, vote.reviewer] = vote
    return sorted(newest.values())


def current_verdicts(
    session: Session, project_id: str, description_ids: Collection[str] | None = None
) -> dict[str, CurrentVerdict]:
    """How each description that anybody decided on stands now (or just those asked for)."""
    of_description: dict[str, list[Vote]] = {}
    for vote in votes(session, project_id, description_ids):
        of_description.setdefault(vote.description_id, []).append(vote)
    return {key: together(decisions) for key, decisions in of_description.items()}


def together(decisions: Sequence[Vote]) -> CurrentVerdict:
    """One answer from the votes on one description, the oldest first: adjudicator, else majority, else the rules."""
    opinions = [vote for vote in decisions if vote.verdict != "undecide" or vote.adjudicates]
    last = (opinions or decisions)[-1]
    on_this_text = [vote for vote in opinions if vote.text == last.text]
    judges = {vote.reviewer for vote in on_this_text if vote.verdict in ("accept", "reject")}
    adjudicated = [vote for vote in on_this_text if vote.adjudicates]
    if adjudicated:
        last = adjudicated[-1]
        on_this_text = [last]
    said = [vote.verdict for vote in on_this_text]
    accepts, rejects = said.count("accept"), said.count("reject")
    return CurrentVerdict(
        verdict="accepted" if accepts > rejects else "rejected" if rejects > accepts else "undecided",
        text=last.text,
        reviewer=last.reviewer,
        reason=last.reason,
        decided_at=last.created_at,
        conflict=accepts == rejects > 0,
        judged_by=tuple(sorted(judges)),
    )


def verdict_after(history: Sequence[PastDecision]) -> CurrentVerdict | None:
    """How a description stands by its whole history, the oldest first; None where no decision on it holds.

    As `current_verdicts`, for rows that are not written yet.
    """
    taken_back = {row.undoes for row in history}
    newest: dict[str, Vote] = {}
    for place, row in enumerate(history):
        if row.verdict not in ("undo", "skip") and row.token not in taken_back:
            at = datetime.fromisoformat(row.created_at)
            newest[row.reviewer] = Vote(place, "", row.reviewer, row.verdict, row.text, row.reason, at, row.adjudicates)
    return together(sorted(newest.values())) if newest else None


class Mark(NamedTuple):
    """How far somebody has read a project's verdicts: the newest row, and how many rows there were."""

    newest: int
    rows: int


def mark(session: Session, project_id: str) -> Mark:
    """The end of a project's verdicts."""
    query = select(func.max(Verdict.id), func.count()).where(Verdict.project_id == project_id)
    newest, count = session.execute(query).one()
    return Mark(newest or 0, count)


def decided_since(session: Session, project_id: str, since: Mark) -> list[str] | None:
    """Descriptions with rows newer than a mark.

    None when the rows do not add up: with several writers a database may show a row before one of a lower number.
    """
    query = select(Verdict.description_id).where(Verdict.project_id == project_id, Verdict.id > since.newest)
    found = list(session.scalars(query))
    return list(dict.fromkeys(found)) if since.rows + len(found) == mark(session, project_id).rows else None


class Unseen(NamedTuple):
    """An accept or reject that stands on a text, and that whoever decides on it now has not seen."""

    reviewer: str
    verdict: str
    """accept or reject."""


def given_since(
    session: Session,
    project_id: str,
    description_ids: Collection[str],
    newest: int,
    *,
    sent_from: str = "",
    reviewer: str | None = None,
) -> dict[str, list[Unseen]]:
    """Description -> who accepted or rejected it after the row number `newest`, where that still holds.

    Args:
        sent_from: what the tokens of the asking browser tab begin with: its own decisions are no news to it.
        reviewer: only this person's decisions.
    """
    columns = (Verdict.description_id, Verdict.reviewer, Verdict.verdict)
    query = holding(project_id, *columns).where(Verdict.id > newest, Verdict.verdict.in_(("accept", "reject")))
    if sent_from:
        query = query.where(~Verdict.token.startswith(sent_from, autoescape=True))
    if reviewer is not None:
        query = query.where(Verdict.reviewer == reviewer)
    found: dict[str, dict[str, str]] = {}
    for narrowed in for_ids(query.order_by(Verdict.id), Verdict.description_id, description_ids):
        for key, name, verdict in session.execute(narrowed):
            found.setdefault(key, {})[name] = verdict
    return {key: [Unseen(*one) for one in of_text.items()] for key, of_text in found.items()}


def own_decisions(
    session: Session, project_id: str, reviewer: str, description_id: str | None = None
) -> dict[str, str]:
    """Description -> what this reviewer did last about it that still holds: accept, reject, edit, undecide or skip.

    A skip counts only where they decided nothing before.
    """
    query = holding(project_id, Verdict.description_id, Verdict.verdict).where(Verdict.reviewer == reviewer)
    if description_id is not None:
        query = query.where(Verdict.description_id == description_id)
    own: dict[str, str] = {}
    for key, verdict in session.execute(query.order_by(Verdict.id)):
        own[key] = own.get(key, verdict) if verdict == "skip" else verdict
    return own


def decisions_by_reviewer(session: Session, project_id: str) -> dict[str, dict[str, str]]:
    """Reviewer -> description -> what they did last about it that still holds (see `own_decisions`), by name."""
    query = holding(project_id, Verdict.reviewer, Verdict.description_id, Verdict.verdict).order_by(Verdict.id)
    found: dict[str, dict[str, str]] = {}
    for reviewer, key, verdict in session.execute(query):
        own = found.setdefault(reviewer, {})
        own[key] = own.get(key, verdict) if verdict == "skip" else verdict
    return dict(sorted(found.items()))


def count_decisions(session: Session, project_id: str) -> Counter[str]:
    """How many descriptions stand accepted and rejected, and how many read otherwise than imported ("edited")."""
    engine = session.get_bind()
    of_engine = _COUNTED.get(engine, {})
    read_up_to = mark(session, project_id)
    before, verdict_of = of_engine.get(project_id, (Mark(0, 0), {}))
    if before != read_up_to:
        ids = decided_since(session, project_id, before) if before.rows else None
        verdict_of = {**(verdict_of if ids is not None else {}), **_verdict_of_each(session, project_id, ids)}
        if not engine.get_execution_options().get("writes"):  # what is being written may yet be taken back
            _COUNTED[engine] = {**of_engine, project_id: (read_up_to, verdict_of)}
    words = Counter(verdict_of.values())
    edited = sum(count for (_, was_edited), count in words.items() if was_edited)
    accepted, rejected = (words[word, True] + words[word, False] for word in ("accepted", "rejected"))
    return +Counter(accepted=accepted, rejected=rejected, edited=edited)


_COUNTED: WeakKeyDictionary[Any, dict[str, tuple[Mark, dict[str, tuple[str, bool]]]]] = WeakKeyDictionary()
"""By database and project: how far its verdicts were counted, and each description's verdict and whether it is edited.

Every page asks for the counts after every verdict; counting 50,000 anew would take longer than all the rest of it.
"""


def _verdict_of_each(session: Session, project_id: str, ids: list[str] | None) -> dict[str, tuple[str, bool]]:
    found = current_verdicts(session, project_id, ids)
    originals = original_texts(session, project_id, found)
    # What was decided and then undone stands as if nobody had: nothing of it may be left from before.
    undone = dict.fromkeys(ids or (), ("undecided", False))
    return undone | {key: (now.verdict, now.text != originals[key]) for key, now in found.items()}


# Made once: for a single verdict, making it takes as long as all the rest.
_taking_back = aliased(Verdict)
_taken_back = select(_taking_back.id).where(_taking_back.undoes == Verdict.id).exists()


def holding(project_id: str, *columns: InstrumentedAttribute[Any]) -> Select[*tuple[Any, ...]]:
    """These columns of the decisions that nobody took back."""
    return select(*columns).where(Verdict.project_id == project_id, Verdict.verdict != "undo", ~_taken_back)


def for_ids(
    query: Select[*Columns], column: InstrumentedAttribute[str], ids: Collection[str] | None
) -> Iterator[Select[*Columns]]:
    """The query as it is, or once for each chunk of ids."""
    if ids is None:
        yield query
        return
    for some in chunks(ids):
        yield query.where(column.in_(some))


def original_texts(session: Session, project_id: str, description_ids: Collection[str]) -> dict[str, str]:
    """Description -> text as imported; all of them must be there."""
    query = select(Description.description_id, Description.text).where(Description.project_id == project_id)
    found: dict[str, str] = {}
    for narrowed in for_ids(query, Description.description_id, description_ids):
        found |= {row.description_id: row.text for row in session.execute(narrowed)}
    lacking = [key for key in description_ids if key not in found]
    if lacking:
        raise NotFoundError(
            "the project has no such description", "Import it first, or reload the page.", value=", ".join(lacking[:3])
        )
    return found

"""Verdicts: rows that are only ever added, and the questions asked of them.

What holds now is a query. A decision holds while nobody has taken it back; of one reviewer's decisions on a
description the newest holds; and a decision counts for the text it was made on, so an edit opens the question
again for everybody (docs/method.md section 3). An adjudicator's decision wins over all others on the same text.

The queries fetch plain columns: a project of 50,000 descriptions would otherwise spend its time making objects.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Select, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from avion_core.descriptions.schema import PastDecision
from avion_core.errors import DescriptionError, EditedMeanwhileError, NotFoundError, StoreError
from avion_core.store.database import chunks
from avion_core.store.histories import own_token, tokens_in_use
from avion_core.store.tables import Description, RuleVersion, Verdict

Decision = Literal["accept", "reject", "edit", "undecide", "skip"]
DECISIONS: tuple[Decision, ...] = ("accept", "reject", "edit", "undecide", "skip")
BULK_DECISIONS: tuple[Decision, ...] = ("accept", "reject", "undecide", "skip")


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


def add_verdict(
    session: Session,
    project_id: str,
    description_id: str,
    verdict: Decision,
    *,
    reviewer: str,
    text: str | None = None,
    shown: str | None = None,
    reason: str = "",
    token: str | None = None,
    adjudicates: bool = False,
) -> Verdict:
    """Write one decision down.

    Args:
        text: of an edit, the new text; not for other decisions.
        shown: the text that the reviewer had before their eyes; None where nobody can tell.
        token: sent again, it is the same decision and nothing is added.
        adjudicates: the decision settles the question for everybody; an edit does not, for it opens it.

    Raises:
        DescriptionError: a word that is no decision, or an edit without text (or text without an edit).
        EditedMeanwhileError: what is accepted, rejected or edited reads otherwise than what was shown.
        NotFoundError: the project has no such description.
        StoreError: the token was used for another decision.
    """
    if verdict not in DECISIONS:
        raise DescriptionError("there is no such verdict", f"Choose one of: {', '.join(DECISIONS)}.", value=verdict)
    if (verdict == "edit") != bool(text and text.strip()):
        raise DescriptionError(
            "an edit comes with its new text, and no other verdict does", "Send the text with the edit.", value=verdict
        )
    originals = _texts(session, project_id, [description_id])
    sent_before = _by_token(session, project_id, token)
    if sent_before is not None:
        if (sent_before.description_id, sent_before.verdict) != (description_id, verdict):
            raise StoreError(
                "this token was used for another decision", "Send every decision with a token of its own.", value=token
            )
        return sent_before
    withdrawn = verdict == "undecide" and not adjudicates
    judged = _judged_texts(session, project_id, originals, withdrawn)
    if shown is not None:
        _refuse_unseen(verdict, {description_id: shown}, judged)
    row = Verdict(
        project_id=project_id,
        description_id=description_id,
        verdict=verdict,
        text=" ".join(text.split()) if text is not None else judged[description_id],
        reason=reason,
        reviewer=reviewer,
        rule_version=rules_in_force(session, project_id),
        token=_token(session, project_id, token),
        adjudicates=adjudicates and verdict not in ("edit", "skip"),
    )
    return _add(session, row)


def add_verdicts(
    session: Session,
    project_id: str,
    description_ids: Sequence[str],
    verdict: Decision,
    *,
    reviewer: str,
    shown: Mapping[str, str] | None = None,
    reason: str = "",
    batch: str | None = None,
) -> tuple[str, int]:
    """Write the same decision on many descriptions down, to be undone as one.

    Args:
        shown: description -> the text that the reviewer had before their eyes, of those that were shown.
        batch: up to 32 characters; sent again, it is the same set of decisions and nothing is added.

    Returns:
        The batch, and how many decisions were added.

    Raises:
        DescriptionError: a decision that is not made in bulk, or no description.
        EditedMeanwhileError: what is accepted or rejected reads otherwise than what was shown; nothing is written.
        NotFoundError: descriptions that the project does not have.
        StoreError: the batch was used for another decision.
    """
    if verdict not in BULK_DECISIONS:
        hint = f"Choose one of: {', '.join(BULK_DECISIONS)}."
        raise DescriptionError("this is not decided for many texts at once", hint, value=verdict)
    ids = list(dict.fromkeys(description_ids))
    if not ids:
        raise DescriptionError("no description was chosen", "Choose one at least.")
    batch = batch or uuid.uuid4().hex
    same_batch = select(Verdict.verdict).where(Verdict.project_id == project_id, Verdict.batch == batch)
    sent_before = session.scalar(same_batch.limit(1))
    if sent_before is not None:
        if sent_before != verdict:
            raise StoreError(
                "this batch was used for another decision", "Send every batch with a name of its own.", value=batch
            )
        return batch, 0
    judged = _judged_texts(session, project_id, _texts(session, project_id, ids), verdict == "undecide")
    _refuse_unseen(verdict, shown or {}, judged)
    shared = {
        "project_id": project_id,
        "verdict": verdict,
        "reason": reason,
        "reviewer": reviewer,
        "rule_version": rules_in_force(session, project_id),
        "batch": batch,
    }
    tokens = [f"{batch}-{place}" for place in range(len(ids))]
    in_use = tokens_in_use(session, Verdict, tokens)
    rows = [
        {**shared, "description_id": key, "text": judged[key], "token": own_token(token, project_id, in_use)}
        for key, token in zip(ids, tokens, strict=True)
    ]
    try:
        session.execute(insert(Verdict), rows)
    except IntegrityError as error:
        raise StoreError("this batch was sent twice at the same moment", "Reload the page.", value=batch) from error
    return batch, len(rows)


def undo(session: Session, project_id: str, reviewer: str, token: str | None = None) -> list[str]:
    """Take back the reviewer's newest decision that still holds; again, the one before it, and so on.

    Of decisions taken in one go, all that still hold are taken back in one go.

    Args:
        token: sent again, it is the same undo and nothing more is taken back.

    Returns:
        The descriptions decided on, none when there is nothing left to take back.
    """
    sent_before = _by_token(session, project_id, token)
    if sent_before is not None:
        same_go = select(Verdict.description_id).where(
            Verdict.project_id == project_id, Verdict.batch == sent_before.batch, Verdict.verdict == "undo"
        )
        return list(session.scalars(same_go.order_by(Verdict.id)))
    columns = (Verdict.id, Verdict.description_id, Verdict.text, Verdict.batch)
    own = _holding(project_id, *columns).where(Verdict.reviewer == reviewer)
    newest = session.execute(own.order_by(Verdict.id.desc()).limit(1)).first()
    if newest is None:
        return []
    taken_back = [newest]
    if newest.batch is not None:
        taken_back = list(session.execute(own.where(Verdict.batch == newest.batch).order_by(Verdict.id)))
    shared = {
        "project_id": project_id,
        "verdict": "undo",
        "reason": "",
        "reviewer": reviewer,
        "rule_version": rules_in_force(session, project_id),
        "batch": uuid.uuid4().hex,
    }
    rows = [
        {**shared, "description_id": row.description_id, "text": row.text, "undoes": row.id, "token": uuid.uuid4().hex}
        for row in taken_back
    ]
    rows[0]["token"] = _token(session, project_id, token)
    try:
        session.execute(insert(Verdict), rows)
    except IntegrityError as error:
        raise StoreError("this was undone at the same moment elsewhere", "Reload the page.", value=reviewer) from error
    return [row.description_id for row in taken_back]


def undo_decision(
    session: Session, project_id: str, description_id: str, reviewer: str, token: str | None = None
) -> bool:
    """Take back what a reviewer decided on one description, however long ago.

    This is a decision like others ("undecide"): it is in the history, and undoing it brings the old one back.

    Returns:
        False when the reviewer has no decision there that holds.
    """
    if _by_token(session, project_id, token) is None:
        own = [vote for vote in votes(session, project_id, [description_id]) if vote.reviewer == reviewer]
        if not own or own[0].verdict == "undecide":
            return False
    add_verdict(session, project_id, description_id, "undecide", reviewer=reviewer, token=token)
    return True


def votes(
    session: Session, project_id: str, description_ids: Collection[str] | None = None, *, settling: bool = True
) -> list[Vote]:
    """Each reviewer's newest decision on each description (or just those asked for), the oldest first.

    Args:
        settling: whether an adjudicator's word counts as their newest decision; else only what they judged as one of
            the reviewers.
    """
    columns = [getattr(Verdict, name) for name in Vote._fields]
    query = _holding(project_id, *columns).where(Verdict.verdict != "skip").order_by(Verdict.id)
    if not settling:
        query = query.where(Verdict.adjudicates.is_(False))
    newest: dict[tuple[str, str], Vote] = {}
    for narrowed in _for_ids(query, Verdict.description_id, description_ids):
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


def history(session: Session, project_id: str, description_id: str) -> list[Verdict]:
    """Every row about one description, the oldest first, skips and undos with them."""
    query = select(Verdict).where(Verdict.project_id == project_id, Verdict.description_id == description_id)
    return list(session.scalars(query.order_by(Verdict.id)))


def own_decisions(
    session: Session, project_id: str, reviewer: str, description_id: str | None = None
) -> dict[str, str]:
    """Description -> what this reviewer did last about it that still holds: accept, reject, edit, undecide or skip.

    A skip counts only where they decided nothing before.
    """
    query = _holding(project_id, Verdict.description_id, Verdict.verdict).where(Verdict.reviewer == reviewer)
    if description_id is not None:
        query = query.where(Verdict.description_id == description_id)
    own: dict[str, str] = {}
    for key, verdict in session.execute(query.order_by(Verdict.id)):
        own[key] = own.get(key, verdict) if verdict == "skip" else verdict
    return own


def decisions_by_reviewer(session: Session, project_id: str) -> dict[str, dict[str, str]]:
    """Reviewer -> description -> what they did last about it that still holds (see `own_decisions`), by name."""
    query = _holding(project_id, Verdict.reviewer, Verdict.description_id, Verdict.verdict).order_by(Verdict.id)
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
    originals = _texts(session, project_id, found)
    # What was decided and then undone stands as if nobody had: nothing of it may be left from before.
    undone = dict.fromkeys(ids or (), ("undecided", False))
    return undone | {key: (now.verdict, now.text != originals[key]) for key, now in found.items()}


def rules_in_force(session: Session, project_id: str) -> int:
    """The number of the newest saved rules, 0 when nobody saved any."""
    query = select(func.max(RuleVersion.number)).where(RuleVersion.project_id == project_id)
    return session.scalar(query) or 0


def _holding(project_id: str, *columns: ColumnElement | object) -> Select:
    """These columns of the decisions that nobody took back."""
    taking_back = aliased(Verdict)
    taken_back = select(taking_back.id).where(taking_back.undoes == Verdict.id).exists()
    return select(*columns).where(Verdict.project_id == project_id, Verdict.verdict != "undo", ~taken_back)  # pyright: ignore


def _for_ids(query: Select, column: ColumnElement | object, ids: Collection[str] | None) -> Iterator[Select]:
    """The query as it is, or once for each chunk of ids."""
    if ids is None:
        yield query
        return
    for some in chunks(ids):
        yield query.where(column.in_(some))  # pyright: ignore


def _texts(session: Session, project_id: str, description_ids: Collection[str]) -> dict[str, str]:
    """Description -> text as imported; all of them must be there."""
    query = select(Description.description_id, Description.text).where(Description.project_id == project_id)
    found: dict[str, str] = {}
    for narrowed in _for_ids(query, Description.description_id, description_ids):
        found |= {row.description_id: row.text for row in session.execute(narrowed)}
    lacking = [key for key in description_ids if key not in found]
    if lacking:
        raise NotFoundError(
            "the project has no such description", "Import it first, or reload the page.", value=", ".join(lacking[:3])
        )
    return found


def _judged_texts(session: Session, project_id: str, originals: dict[str, str], withdrawn: bool) -> dict[str, str]:
    """Description -> the text that a decision made now is about: as it reads, or as imported where one is withdrawn."""
    if withdrawn:
        return originals
    current = current_verdicts(session, project_id, originals)
    return {key: current[key].text if key in current else text for key, text in originals.items()}


def _refuse_unseen(verdict: Decision, shown: Mapping[str, str], judged: Mapping[str, str]) -> None:
    """Nobody accepts, rejects or replaces words that they have not read: an edit may have come in meanwhile."""
    if verdict not in ("accept", "reject", "edit"):
        return
    for key, now in judged.items():
        if key in shown and shown[key].split() != now.split():
            raise EditedMeanwhileError("it was edited meanwhile", "Look again.", value=now.rstrip("."))


def _by_token(session: Session, project_id: str, token: str | None) -> Verdict | None:
    """The project's own row of that token, if there is one; another project's is another decision."""
    if token is None:
        return None
    own = {token, own_token(token, project_id, {token})}
    return session.scalar(select(Verdict).where(Verdict.project_id == project_id, Verdict.token.in_(own)))


def _token(session: Session, project_id: str, token: str | None) -> str:
    """The token of a new row: as it was sent, unless another project has used it, or drawn."""
    if token is None:
        return uuid.uuid4().hex
    return own_token(token, project_id, tokens_in_use(session, Verdict, [token]))


def _add(session: Session, row: Verdict) -> Verdict:
    """Insert; where another program was faster with the same token, say so."""
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise StoreError("somebody else decided at the same moment", "Do it again.", value=row.verdict) from error
    return row

"""Verdicts: rows that are only ever added. What holds now of them is a query (`current_verdicts`)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Literal

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from avion_core.errors import DescriptionError, EditedMeanwhileError, StoreBusyError, StoreError
from avion_core.store.current_verdicts import current_verdicts, holding, original_texts, votes
from avion_core.store.histories import own_token, tokens_in_use
from avion_core.store.tables import RuleVersion, Verdict

Decision = Literal["accept", "reject", "edit", "undecide", "skip"]
DECISIONS: tuple[Decision, ...] = ("accept", "reject", "edit", "undecide", "skip")
BULK_DECISIONS: tuple[Decision, ...] = ("accept", "reject", "undecide", "skip")


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
            "an edit comes with its new text, and no other verdict does",
            "Send the new text with the edit.",
            value=verdict,
        )
    originals = original_texts(session, project_id, [description_id])
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
        _refuse_unseen(verdict, {description_id: shown}, judged, text)
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
        raise DescriptionError("this verdict cannot be given to several descriptions at once", hint, value=verdict)
    ids = list(dict.fromkeys(description_ids))
    if not ids:
        raise DescriptionError("no description was chosen", "Choose at least one.")
    batch = batch or uuid.uuid4().hex
    same_batch = select(Verdict.verdict).where(Verdict.project_id == project_id, Verdict.batch == batch)
    sent_before = session.scalar(same_batch.limit(1))
    if sent_before is not None:
        if sent_before != verdict:
            raise StoreError(
                "this batch was used for another decision", "Send every batch with a name of its own.", value=batch
            )
        return batch, 0
    judged = _judged_texts(session, project_id, original_texts(session, project_id, ids), verdict == "undecide")
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
        raise StoreError(
            "these decisions were sent twice at the same moment", "Reload the page.", value=batch
        ) from error
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
    own = holding(project_id, *columns).where(Verdict.reviewer == reviewer)
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
        raise StoreBusyError(
            "somebody else undid this at the same moment", "Reload the page.", value=reviewer
        ) from error
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


def history(session: Session, project_id: str, description_id: str) -> list[Verdict]:
    """Every row about one description, the oldest first, skips and undos with them."""
    query = select(Verdict).where(Verdict.project_id == project_id, Verdict.description_id == description_id)
    return list(session.scalars(query.order_by(Verdict.id)))


def rules_in_force(session: Session, project_id: str) -> int:
    """The number of the newest saved rules, 0 when nobody saved any."""
    query = select(func.max(RuleVersion.number)).where(RuleVersion.project_id == project_id)
    return session.scalar(query) or 0


def _judged_texts(session: Session, project_id: str, originals: dict[str, str], withdrawn: bool) -> dict[str, str]:
    """Description -> the text that a decision made now is about: as it reads, or as imported where one is withdrawn."""
    if withdrawn:
        return originals
    current = current_verdicts(session, project_id, originals)
    return {key: current[key].text if key in current else text for key, text in originals.items()}


def _refuse_unseen(
    verdict: Decision, shown: Mapping[str, str], judged: Mapping[str, str], text: str | None = None
) -> None:
    """Nobody accepts, rejects or replaces words that they have not read: an edit may have come in meanwhile."""
    if verdict not in ("accept", "reject", "edit"):
        return
    for key, now in judged.items():
        if key in shown and shown[key].split() != now.split():
            what, hint = "the description was edited meanwhile", "Read the new text, then decide."
            yours = {} if text is None else {key: text}
            raise EditedMeanwhileError(what, hint, yours=yours, now={key: now}, value=now.rstrip("."))


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
        raise StoreBusyError("somebody else decided at the same moment", "Try again.", value=row.verdict) from error
    return row

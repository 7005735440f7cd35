"""Verdicts: rows that are only ever added, and the questions asked of them.

What holds now is a query. A decision holds while nobody has taken it back; of one reviewer's decisions on a
description the newest holds; and a decision counts for the text it was made on, so an edit opens the question
again for everybody (METHOD.md, section 3).
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from avion_core.errors import DescriptionError, NotFoundError, StoreError
from avion_core.store.tables import Description, RuleVersion, Verdict

Decision = Literal["accept", "reject", "edit", "undecide", "skip"]
DECISIONS: tuple[Decision, ...] = ("accept", "reject", "edit", "undecide", "skip")


@dataclass(frozen=True)
class CurrentVerdict:
    """How a description stands: what the people who decided on its present text say together."""

    verdict: Literal["accepted", "rejected", "undecided"]
    text: str
    """As it reads now, edits applied."""
    reviewer: str
    """Who decided last."""
    reason: str
    decided_at: datetime
    conflict: bool
    """As many reviewers accept it as reject it; the rules decide until they agree."""


def add_verdict(
    session: Session,
    project_id: str,
    description_id: str,
    verdict: Decision,
    *,
    reviewer: str,
    text: str | None = None,
    reason: str = "",
    token: str | None = None,
) -> Verdict:
    """Write one decision down.

    Args:
        text: of an edit, the new text; not for other decisions.
        token: sent again, it is the same decision and nothing is added.

    Raises:
        DescriptionError: a word that is no decision, or an edit without text (or text without an edit).
        NotFoundError: the project has no such description.
        StoreError: the token was used for another decision.
    """
    if verdict not in DECISIONS:
        raise DescriptionError("there is no such verdict", f"Choose one of: {', '.join(DECISIONS)}.", value=verdict)
    if (verdict == "edit") != bool(text and text.strip()):
        raise DescriptionError(
            "an edit comes with its new text, and no other verdict does", "Send the text with the edit.", value=verdict
        )
    description = session.get(Description, (project_id, description_id))
    if description is None:
        raise NotFoundError(
            "the project has no such description", "Import it first, or reload the page.", value=description_id
        )
    sent_before = _by_token(session, token)
    if sent_before is not None:
        if (sent_before.description_id, sent_before.verdict) != (description_id, verdict):
            raise StoreError(
                "this token was used for another decision", "Send every decision with a token of its own.", value=token
            )
        return sent_before
    current = current_verdicts(session, project_id, description_id).get(description_id)
    if text is not None:
        judged = " ".join(text.split())
    elif verdict == "undecide" or current is None:
        judged = description.text
    else:
        judged = current.text
    row = Verdict(
        project_id=project_id,
        description_id=description_id,
        verdict=verdict,
        text=judged,
        reason=reason,
        reviewer=reviewer,
        rule_version=rules_in_force(session, project_id),
        token=token or uuid.uuid4().hex,
    )
    return _add(session, row)


def undo(session: Session, project_id: str, reviewer: str, token: str | None = None) -> str | None:
    """Take back the reviewer's newest decision that still holds; again, the one before it, and so on.

    Returns:
        The description it was about, or None when there is nothing left to take back.
    """
    sent_before = _by_token(session, token)
    if sent_before is not None:
        return sent_before.description_id
    newest = session.scalars(
        _holding(project_id).where(Verdict.reviewer == reviewer).order_by(Verdict.id.desc()).limit(1)
    ).first()
    if newest is None:
        return None
    row = Verdict(
        project_id=project_id,
        description_id=newest.description_id,
        verdict="undo",
        text=newest.text,
        reason="",
        reviewer=reviewer,
        rule_version=rules_in_force(session, project_id),
        token=token or uuid.uuid4().hex,
        undoes=newest.id,
    )
    return _add(session, row).description_id


def current_verdicts(session: Session, project_id: str, description_id: str | None = None) -> dict[str, CurrentVerdict]:
    """How each description that anybody decided on stands now (or just the one asked for)."""
    holding = _holding(project_id).where(Verdict.verdict != "skip")
    if description_id is not None:
        holding = holding.where(Verdict.description_id == description_id)
    newest: dict[tuple[str, str], Verdict] = {}
    for row in session.scalars(holding.order_by(Verdict.id)):
        newest[row.description_id, row.reviewer] = row
    of_description: dict[str, list[Verdict]] = {}
    for row in sorted(newest.values(), key=lambda row: row.id):
        of_description.setdefault(row.description_id, []).append(row)
    return {key: _together(decisions) for key, decisions in of_description.items()}


def history(session: Session, project_id: str, description_id: str) -> list[Verdict]:
    """Every row about one description, the oldest first, skips and undos with them."""
    query = select(Verdict).where(Verdict.project_id == project_id, Verdict.description_id == description_id)
    return list(session.scalars(query.order_by(Verdict.id)))


def count_decisions(session: Session, project_id: str) -> Counter[str]:
    """How many descriptions stand accepted, rejected and edited."""
    counts = Counter[str](current.verdict for current in current_verdicts(session, project_id).values())
    del counts["undecided"]
    return counts


def rules_in_force(session: Session, project_id: str) -> int:
    """The number of the newest saved rules, 0 when nobody saved any."""
    query = select(func.max(RuleVersion.number)).where(RuleVersion.project_id == project_id)
    return session.scalar(query) or 0


def _holding(project_id: str) -> Select[Verdict]:
    taking_back = aliased(Verdict)
    taken_back = select(taking_back.id).where(taking_back.undoes == Verdict.id).exists()
    return select(Verdict).where(Verdict.project_id == project_id, Verdict.verdict != "undo", ~taken_back)


def _together(decisions: list[Verdict]) -> CurrentVerdict:
    """One answer from the newest decision of each reviewer, the oldest first."""
    last = decisions[-1]
    votes = Counter(row.verdict for row in decisions if row.text == last.text)
    accepts, rejects = votes["accept"], votes["reject"]
    return CurrentVerdict(
        verdict="accepted" if accepts > rejects else "rejected" if rejects > accepts else "undecided",
        text=last.text,
        reviewer=last.reviewer,
        reason=last.reason,
        decided_at=last.created_at,
        conflict=accepts == rejects > 0,
    )


def _by_token(session: Session, token: str | None) -> Verdict | None:
    return None if token is None else session.scalar(select(Verdict).where(Verdict.token == token))


def _add(session: Session, row: Verdict) -> Verdict:
    """Insert; where another program was faster with the same token or the same undo, say so."""
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise StoreError("somebody else decided at the same moment", "Do it again.", value=row.verdict) from error
    return row

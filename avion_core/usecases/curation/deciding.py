"""People's decisions: one at a time or many in one go, taken back, and looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from sqlalchemy.orm import Session

from avion_core.descriptions.importing import MOST_CHARACTERS
from avion_core.errors import DescriptionError
from avion_core.reading import Subject, is_storable, refuse_mark
from avion_core.store import journal, verdicts
from avion_core.store.current_verdicts import Unseen, given_since
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.tables import Project, Verdict
from avion_core.store.verdicts import Decision
from avion_core.usecases.curation.blind import my_sight
from avion_core.usecases.policies import ADJUDICATE, demand, use_case
from avion_core.usecases.projects.without_pictures import refuse_new_texts
from avion_core.wording import counted

_DID = {"accept": "Accepted", "reject": "Rejected", "undecide": "Undid the verdicts on", "skip": "Skipped"}


@use_case
def record_verdict(
    home: Home,
    project: str,
    description_id: str,
    verdict: Decision,
    *,
    text: str | None = None,
    shown: str | None = None,
    reason: str = "",
    token: str | None = None,
    adjudicates: bool = False,
    read_up_to: int | None = None,
) -> list[Unseen]:
    """Write one person's decision down, for good; the same token again is the same decision.

    Args:
        text: of an edit, the new text.
        shown: the text that the reviewer had before their eyes; None where nobody can tell.
        adjudicates: it settles the question for everybody, until an edit opens it again.
        read_up_to: the number of the newest verdict that the reviewer's page showed (`Curation.read_up_to`).

    Returns:
        Verdicts given since, by others or in another tab (tokens of one tab are alike up to their last hyphen), that
        the reviewer has not seen: this one stands beside them. In a blind review, the reviewer's own alone.

    Raises:
        NotFoundError: no such project or description.
        RightsError: the reviewer may not settle questions.
        DescriptionError: a word that is no decision, an edit without its text, or a text that is too long to keep.
        EditedMeanwhileError: what is accepted, rejected or edited reads otherwise than what was shown.
    """
    reviewer = home.actor.name
    _refuse_unstorable(text, reason)
    if adjudicates:
        demand(home.actor, ADJUDICATE)
    with writing(home.engine) as session:
        row = find_project(session, project)
        if text is not None:
            refuse_new_texts(row)
        unseen = _unseen(session, home, row, [description_id], read_up_to, sent_from=_tab(token))
        verdicts.add_verdict(
            session,
            row.id,
            description_id,
            verdict,
            reviewer=reviewer,
            text=text,
            shown=shown,
            reason=reason,
            token=token,
            adjudicates=adjudicates,
        )
    return unseen.get(description_id, [])


@use_case
def record_verdicts(
    home: Home,
    project: str,
    description_ids: Sequence[str],
    verdict: Decision,
    *,
    shown: Mapping[str, str] | None = None,
    reason: str = "",
    batch: str | None = None,
    read_up_to: int | None = None,
) -> dict[str, list[Unseen]]:
    """Accept, reject, skip or un-decide many descriptions in one go; all of it is written, or nothing.

    Args:
        shown: description -> the text that the reviewer had before their eyes, of those that were shown.
        batch: the same batch again adds nothing; undoing any decision of it undoes them all.
        read_up_to: as `record_verdict` takes it.

    Returns:
        Description -> verdicts on it that the reviewer has not seen, as `record_verdict` returns them.

    Raises:
        NotFoundError: no such project, or descriptions that it lacks.
        DescriptionError: another decision, or no description.
        EditedMeanwhileError: what is accepted or rejected reads otherwise than what was shown; nothing is written.
    """
    reviewer = home.actor.name
    _refuse_unstorable(reason)
    with writing(home.engine) as session:
        row = find_project(session, project)
        project_id = row.id
        unseen = _unseen(session, home, row, description_ids, read_up_to)
        _, added = verdicts.add_verdicts(
            session, project_id, description_ids, verdict, reviewer=reviewer, shown=shown, reason=reason, batch=batch
        )
        if added:
            journal.note(
                session, project_id, "review", f"{_DID[verdict]} {counted(added, 'description')} in one step.", reviewer
            )
    return unseen


@use_case
def undo(home: Home, project: str, token: str | None = None) -> list[str]:
    """Take back the reviewer's newest decision that still holds, with all others of its batch.

    Args:
        token: the same token again takes nothing more back.

    Returns:
        The descriptions they were about, none when there is nothing left to take back.
    """
    reviewer = home.actor.name
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        taken_back = verdicts.undo(session, project_id, reviewer, token)
        if len(taken_back) > 1:
            sentence = f"Undid the decisions on {counted(len(taken_back), 'description')} in one step."
            journal.note(session, project_id, "review", sentence, reviewer)
    return taken_back


@use_case
def undo_decision(home: Home, project: str, description_id: str, token: str | None = None) -> bool:
    """Take back what the reviewer decided on one description, however long ago; `undo` brings it back.

    Returns:
        False when the reviewer has no decision there that holds.

    Raises:
        NotFoundError: no such project or description.
    """
    with writing(home.engine) as session:
        project_id = find_project(session, project).id
        return verdicts.undo_decision(session, project_id, description_id, home.actor.name, token)


@use_case
def history(home: Home, project: str, description_id: str) -> list[Verdict]:
    """Everything anybody decided on a description, the oldest first, with undos and rule versions.

    In a blind project, one's own decisions alone until one has judged it.
    """
    with reading(home.engine) as session:
        row = find_project(session, project)
        entries = verdicts.history(session, row.id, description_id)
    if not row.blind or not my_sight(home, row.id, description_id).hides(pd.Series([description_id])).any():
        return entries
    return [entry for entry in entries if entry.reviewer == home.actor.name]


def _unseen(
    session: Session,
    home: Home,
    row: Project,
    description_ids: Sequence[str],
    read_up_to: int | None,
    *,
    sent_from: str = "",
) -> dict[str, list[Unseen]]:
    if read_up_to is None:
        return {}
    only = home.actor.name if row.blind else None
    return given_since(session, row.id, description_ids, read_up_to, sent_from=sent_from, reviewer=only)


def _tab(token: str | None) -> str:
    tab, hyphen, _ = (token or "").rpartition("-")
    return tab + hyphen


def _refuse_unstorable(*texts: str | None) -> None:
    """A text stands in each later verdict on it as well: it is as long as a description may be, and can be written."""
    for text in texts:
        if text and (len(text) > MOST_CHARACTERS or not is_storable(text)):
            what = "a text is too long or holds signs that cannot be stored"
            raise DescriptionError(what, f"Write at most {MOST_CHARACTERS:,} characters, as text.", value=text[:60])
        refuse_mark(text or "", Subject("a text", DescriptionError, "Leave it out."), shown=60)

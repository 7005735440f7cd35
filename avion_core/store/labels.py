"""Labels that people gave to images: rows that are only ever added, and what they come to.

A label holds while nobody has taken it back, and of an image's labels the newest one holds, whoever gave it. An image
without any keeps the label it came with (the manifest's).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from avion_core.errors import StoreBusyError
from avion_core.store.database import chunks
from avion_core.store.tables import Label

OF_CHANGE = "change-"
"""How the batch of labels begins that a change of classes gave; only that change's own undo takes them back."""


def add_labels(
    session: Session,
    project_id: str,
    labels: Mapping[str, str | None],
    *,
    reviewer: str,
    batch: str,
    guesses: Mapping[str, str] | None = None,
) -> int:
    """Write down which class each image is of (None takes its label off), as one batch.

    Returns:
        How many rows were added; none when this batch was written before.

    Raises:
        StoreBusyError: somebody else wrote the same batch at the same moment.
    """
    if is_written(session, project_id, batch):
        return 0
    session.add_all(
        Label(
            project_id=project_id,
            image_id=image_id,
            class_key=class_key,
            guess=(guesses or {}).get(image_id, ""),
            reviewer=reviewer,
            batch=batch,
            token=_token(project_id, batch, image_id),
        )
        for image_id, class_key in labels.items()
    )
    _flush(session, batch)
    return len(labels)


def is_written(session: Session, project_id: str, batch: str) -> bool:
    """Whether the labels of a batch were written down before."""
    known = select(Label.id).where(Label.project_id == project_id, Label.batch == batch, Label.undoes.is_(None))
    return session.scalars(known.limit(1)).first() is not None


def labels_of(session: Session, project_id: str, images: Sequence[str]) -> dict[str, str | None]:
    """What people say of these images (None: a label was taken off), of those that anybody labelled."""
    found: dict[str, str | None] = {}
    for some in chunks(images):
        holding = _holding(project_id).where(Label.image_id.in_(some)).order_by(Label.id)
        found |= {row.image_id: row.class_key for row in session.scalars(holding)}
    return found


def undo_newest(session: Session, project_id: str, reviewer: str, token: str) -> list[str]:
    """Take back the reviewer's newest batch of labels that still holds; again, the one before it, and so on.

    Args:
        token: sent again, it is the same undo.

    Returns:
        The images it was about; none when there is nothing left to take back.
    """
    earlier = select(Label.image_id).where(
        Label.project_id == project_id, Label.batch == token, Label.undoes.is_not(None)
    )
    sent_before = list(session.scalars(earlier.order_by(Label.id)))
    if sent_before:
        return sent_before
    own = _holding(project_id).where(Label.reviewer == reviewer, ~Label.batch.startswith(OF_CHANGE))
    newest = session.scalars(own.order_by(Label.id.desc()).limit(1)).first()
    if newest is None or newest.batch is None:
        return []
    return undo_batch(session, project_id, newest.batch, reviewer=reviewer, token=token)


def undo_batch(session: Session, project_id: str, batch: str, *, reviewer: str, token: str) -> list[str]:
    """Take back all labels of a batch that still hold; returns their images, in the order of labelling."""
    taken = list(session.scalars(_holding(project_id).where(Label.batch == batch).order_by(Label.id)))
    session.add_all(
        Label(
            project_id=project_id,
            image_id=row.image_id,
            class_key=None,
            reviewer=reviewer,
            batch=token,
            token=_token(project_id, token, row.image_id),
            undoes=row.id,
        )
        for row in taken
    )
    _flush(session, token)
    return [row.image_id for row in taken]


def current_labels(session: Session, project_id: str) -> dict[str, str | None]:
    """Image id -> class key (None: its label was taken off), of every image that people labelled.

    The order is that of the labelling: an image keeps its place when its label is corrected.
    """
    holding = _holding(project_id).subquery()
    query = select(holding.c.image_id, holding.c.class_key).order_by(holding.c.id)
    return {row.image_id: row.class_key for row in session.execute(query)}


def newest_label(session: Session, project_id: str) -> int:
    """The number of the newest row, 0 without any: it rises whenever a label is given or taken back."""
    return session.scalar(select(func.max(Label.id)).where(Label.project_id == project_id)) or 0


_taking_back = aliased(Label)
_taken_back = select(_taking_back.id).where(_taking_back.undoes == Label.id).exists()


def _holding(project_id: str) -> Select[Label]:
    return select(Label).where(Label.project_id == project_id, Label.undoes.is_(None), ~_taken_back)


def _token(project_id: str, batch: str, image_id: str) -> str:
    """The same label sent twice is one; of two projects on the same images each has its own."""
    return hashlib.sha256(f"{project_id} {batch} {image_id}".encode()).hexdigest()


def _flush(session: Session, batch: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise StoreBusyError("somebody else labelled at the same moment", "Try again.", value=batch) from error

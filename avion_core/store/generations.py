"""Descriptions ordered from writers, and every reply that came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, contains_eager, defer

from avion_core.errors import DataError, NotFoundError
from avion_core.reading import Subject, parse_json
from avion_core.store.projects import add_descriptions
from avion_core.store.tables import Description, Generation, Job, Reply

CONTRASTIVE = "contrastive"
"""The prompt version of texts that a person wrote to tell two classes apart."""


def find_generation(session: Session, project_id: str, wanted: str = "latest") -> Generation:
    """A generation of a project by its id, the beginning of it, or "latest".

    Raises:
        NotFoundError: none, or several, go by that name.
    """
    query = _newest_first(project_id)
    if wanted != "latest":
        query = query.where(Generation.id.startswith(wanted, autoescape=True))
    found = session.scalars(query.limit(2)).all()
    if not found or not wanted:
        raise NotFoundError("there is no such generation", "Start one with `avion describe PROJECT`.", value=wanted)
    if len(found) > 1 and wanted != "latest":
        raise NotFoundError(
            "several generations have ids that begin like this", "Give more characters of the id.", value=wanted
        )
    return found[0]


def list_generations(session: Session, project_id: str) -> list[Generation]:
    """All generations of a project, the newest first."""
    return list(session.scalars(_newest_first(project_id)))


def save_reply(session: Session, reply: Reply, descriptions: list[dict[str, Any]]) -> int:
    """Write a reply down with the descriptions that came in it; returns how many of them are new to the project."""
    session.add(reply)
    session.flush()
    reply.got = add_descriptions(session, reply.project_id, [row | {"reply_id": reply.id} for row in descriptions])
    return reply.got


def replies_of(session: Session, generation_id: str) -> list[Reply]:
    """Every reply of a generation, the oldest first, without what was sent and what came word for word."""
    query = select(Reply).options(defer(Reply.data), defer(Reply.raw)).where(Reply.generation_id == generation_id)
    return list(session.scalars(query.order_by(Reply.id)))


def replies_whole(session: Session, project_id: str) -> dict[int, Reply]:
    """Every reply that a project got, word for word, by its id."""
    return {reply.id: reply for reply in session.scalars(select(Reply).where(Reply.project_id == project_id))}


def exchanged(session: Session, generation_id: str, class_key: str) -> list[Reply]:
    """What was sent about one class and what came, word for word, the oldest first."""
    query = select(Reply).where(Reply.generation_id == generation_id, Reply.class_key == class_key)
    return list(session.scalars(query.order_by(Reply.id)))


def written_by(
    session: Session, project_id: str, writer: str, model: str, distinguish_from: Collection[str] = ()
) -> Counter[str]:
    """Class key -> how many descriptions of one writer and model the project holds.

    Args:
        distinguish_from: count those alone that were ordered to be told from just these classes.
    """
    query = (
        select(Description.class_key, func.count())
        .where(Description.project_id == project_id, Description.writer == writer, Description.model == model)
        .group_by(Description.class_key)
    )
    if distinguish_from:
        same = [
            row.id
            for row in list_generations(session, project_id)
            if set(row.settings.get("distinguish_from", ())) == set(distinguish_from)
        ]
        query = query.join(Reply, Description.reply_id == Reply.id).where(Reply.generation_id.in_(same))
    return Counter({class_key: count for class_key, count in session.execute(query).all() if count})


def descriptions_written(session: Session, generation_id: str) -> list[str]:
    """Ids of the descriptions that came in a generation's replies, in the order they came."""
    query = select(Description.description_id).join(Reply, Description.reply_id == Reply.id)
    return list(session.scalars(query.where(Reply.generation_id == generation_id).order_by(Description.created_at)))


def contrasts_of(session: Session, project_id: str, pair: Collection[str], by_hand: str) -> list[str]:
    """Ids of these classes' descriptions that were ordered to tell them apart, or have `by_hand` as prompt version."""
    orders = [
        row.id
        for row in list_generations(session, project_id)
        if set(pair) <= set(row.settings.get("distinguish_from", ()))
    ]
    query = (
        select(Description.description_id)
        .outerjoin(Reply, Description.reply_id == Reply.id)
        .where(Description.project_id == project_id, Description.class_key.in_(pair))
        .where(Reply.generation_id.in_(orders) | (Description.prompt_version == by_hand))
    )
    return list(session.scalars(query))


_SENT = Subject("what was sent to a language model")


@dataclass(frozen=True)
class WrittenFrom:
    """What labels stood behind a text when it was written."""

    pictures: int
    """How many training images of its class were sent along."""
    against: tuple[str, ...]
    """Names of the classes that it was asked to differ from."""
    by_hand: bool
    """A person wrote it beside the images that are taken for another class."""


def _against(data: str) -> list[Any]:
    """The classes that a reply was to set apart, by what was sent; none where that cannot be read: packs bring rows."""
    try:
        found = parse_json(data, _SENT)
    except DataError:
        return []
    named: Any = cast(dict[str, Any], found).get("distinguish_from") if isinstance(found, dict) else None
    return cast(list[Any], named) if isinstance(named, list) else []


def origins_of(session: Session, project_id: str) -> dict[str, WrittenFrom]:
    """Description -> what labels stood behind it, for those behind which there were any."""
    replies: dict[int, WrittenFrom] = {}
    asked = select(Reply.id, Reply.pictures, Reply.data).where(Reply.project_id == project_id)
    for reply, pictures, data in session.execute(asked):
        against = _against(data) if "distinguish_from" in data else ()
        if pictures or against:
            replies[reply] = WrittenFrom(pictures, tuple(map(str, against)), by_hand=False)
    by_hand = WrittenFrom(0, (), by_hand=True)
    query = select(Description.description_id, Description.reply_id, Description.prompt_version).where(
        Description.project_id == project_id,
        Description.reply_id.is_not(None) | (Description.prompt_version == CONTRASTIVE),
    )
    found: dict[str, WrittenFrom] = {}
    for one, reply, version in session.execute(query):
        if version == CONTRASTIVE:
            found[one] = by_hand
        elif reply in replies:
            found[one] = replies[reply]
    return found


def texts_of(
    session: Session, project_id: str, class_key: str, writer: str, model: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts of a class as one writer and model wrote them, and those of all others; the oldest first."""
    query = select(Description.text, Description.writer, Description.model).where(
        Description.project_id == project_id, Description.class_key == class_key
    )
    found = session.execute(query.order_by(Description.created_at, Description.description_id)).all()
    own = tuple(text for text, *by in found if by == [writer, model])
    return own, tuple(text for text, *by in found if by != [writer, model])


def spent(session: Session, project_id: str) -> list[dict[str, Any]]:
    """Replies, tokens, cost and seconds per writer and model asked for."""
    settings = {row.id: row.settings for row in list_generations(session, project_id)}
    query = (
        select(
            Reply.generation_id,
            func.count(),
            func.sum(Reply.tokens_in),
            func.sum(Reply.tokens_out),
            func.sum(Reply.cost),
            func.sum(Reply.seconds),
            func.sum(Reply.got),
        )
        .where(Reply.project_id == project_id)
        .group_by(Reply.generation_id)
    )
    return [
        {
            "writer": settings[generation]["writer"],
            "model": settings[generation]["model"],
            "replies": replies,
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "cost": cost,
            "seconds": seconds,
            "descriptions": got,
        }
        for generation, replies, tokens_in, tokens_out, cost, seconds, got in session.execute(query)
    ]


def _newest_first(project_id: str) -> Select[Generation]:
    found = select(Generation).join(Generation.job).options(contains_eager(Generation.job))
    return found.where(Generation.project_id == project_id).order_by(Job.created_at.desc(), Generation.id)

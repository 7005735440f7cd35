"""Having descriptions written: every reply is saved as it comes, and what is still wanted is asked of the store.

So a generation that was stopped or killed goes on where its last reply was saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from avion_core.backbones.reading_length import unread_ends
from avion_core.descriptions.writers.file import FileWriter
from avion_core.descriptions.writers.generate import ClassDone, Event, Order, Replied, generate
from avion_core.descriptions.writers.patience import Patience, Waiting
from avion_core.descriptions.writers.plan import Price
from avion_core.descriptions.writers.prompt import PromptFile
from avion_core.descriptions.writers.settings import WritingSettings
from avion_core.jobs.job import Context, JobKind, Stopped
from avion_core.jobs.writing_orders import ORDERS, generation_folder, make_order, open_writer, read_orders
from avion_core.store import generations as generation_rows
from avion_core.store.classes import alias_keys
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import find_project, prompt_names
from avion_core.store.tables import Generation, Reply, now


class WritingRequest(BaseModel):
    """What is to be written is in the generation's row; what each class is, in the orders in its folder."""


def write(_: WritingRequest, context: Context) -> None:
    """Have a generation's descriptions written, to its end or to the next stop."""
    home = context.home
    with reading(home.engine) as session:
        row = session.get_one(Generation, context.job.id)
        class_names = prompt_names(session, row.project_id)
        aliases = alias_keys(session, row.project_id)
    settings = WritingSettings.model_validate(row.settings)
    writer = open_writer(settings, class_names, aliases)
    if isinstance(writer, FileWriter) and writer.left_out:
        context.log(writer.left_out)
    price = settings.price
    done = row.classes - sum(1 for _ in _wanted(home, row, settings))
    _count(context, done, row.classes)
    events = generate(
        _orders(home, row, settings),
        writer,
        PromptFile(row.prompt_version.rsplit("@", 1)[0], row.prompt),
        settings.imaging,
        Patience(settings.requests_per_minute, stop=context.stop),
        language=settings.language,
        concurrency=settings.concurrency,
    )
    failure: Exception | None = None
    for event in events:
        try:
            match event:
                case Waiting(seconds=seconds, why=why):
                    context.stage(f"Waiting {seconds:.0f} s: {why}.")
                case Replied():
                    _save(home, row, event, price)
                    context.note_job(stage="")
                case ClassDone():
                    done += 1
                    _count(context, done, row.classes)
            _log(context, event, _cut_off(home, row, event))
            context.tell(event)
        except Exception as error:
            # Replies that are there or on their way are paid for: they are saved before this one's trouble is told.
            failure = failure or error
            context.stop.set()
    if failure is not None:
        raise failure
    if context.should_stop() and done < row.classes:
        raise Stopped


def _count(context: Context, done: int, classes: int) -> None:
    context.note(classes_done=done)
    context.progress(done, classes, "classes")


def _cut_off(home: Home, row: Generation, event: Event) -> str:
    """What to say of new texts that the project's teacher does not read to their end."""
    if not isinstance(event, Replied):
        return ""
    with reading(home.engine) as session:
        teacher = find_project(session, row.project_id).teacher
    said = unread_ends(home.weights, teacher, [written.text for written in event.descriptions]).sentence
    return f" {said}." if said else ""


def _log(context: Context, event: Event, cut_off: str) -> None:
    """Counts and classes alone: texts belong to the store, and keys nowhere."""
    match event:
        case Replied(class_key=key, descriptions=descriptions, asked=asked, problem=problem, cleaned=cleaned):
            tidied = f" List marks, emphasis, HTML or introductions taken off {cleaned}." if cleaned else ""
            context.log(f"{key}: {len(descriptions)} of {asked}.{tidied}{cut_off} {problem}".rstrip())
        case ClassDone(class_key=key, written=written, wanted=wanted):
            context.log(f"{key}: done, {written} of {wanted}")


def _wanted(home: Home, row: Generation, settings: WritingSettings) -> Iterator[tuple[dict[str, Any], int]]:
    """The classes that lack descriptions of this writer and model, and how many."""
    with reading(home.engine) as session:
        there = generation_rows.written_by(
            session, row.project_id, settings.writer, row.settings["model"], settings.distinguish_from
        )
    for entry in read_orders(generation_folder(home, row.id)):
        wanted = settings.per_class - there[entry["card"]["class_key"]]
        if wanted > 0:
            yield entry, wanted


def _orders(home: Home, row: Generation, settings: WritingSettings) -> Iterator[Order]:
    for entry, wanted in _wanted(home, row, settings):
        with reading(home.engine) as session:
            known, others = generation_rows.texts_of(
                session, row.project_id, entry["card"]["class_key"], settings.writer, settings.model
            )
        yield make_order(entry, wanted, known, others)


def _save(home: Home, row: Generation, replied: Replied, price: Price | None) -> None:
    answer = replied.answer
    reply = Reply(
        project_id=row.project_id,
        generation_id=row.id,
        class_key=replied.class_key,
        data=replied.prompt.data,
        pictures=len(replied.prompt.pictures),
        asked=replied.asked,
        got=0,
        dropped=replied.dropped,
        problem=replied.problem,
        raw=answer.text if answer else "",
        model=answer.model if answer else "",
        tokens_in=answer.tokens_in if answer else 0,
        tokens_out=answer.tokens_out if answer else 0,
        cost=price.of(answer.tokens_in, answer.tokens_out) if answer and price else None,
        seconds=answer.seconds if answer else 0.0,
    )
    moment = f"{now():%Y-%m-%dT%H:%M:%SZ}"
    descriptions = [asdict(description) | {"written_at": moment} for description in replied.descriptions]
    for description in descriptions:
        del description["created_at"]
    with writing(home.engine) as session:
        generation_rows.save_reply(session, reply, descriptions)


WRITING = JobKind(
    "writing",
    WritingRequest,
    write,
    folder="generations",
    inputs=ORDERS,
    row=Generation,
    lost_hint="Resume it: the descriptions so far are saved.",
    private=True,
    started_by="avion describe",
    doing="Writing descriptions",
)

"""Having descriptions written: what is asked, what it will take, and how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from avion_core.data.class_names import is_wordless, said_of_wordless
from avion_core.descriptions.writers.generate import MOST_AT_ONCE, Event, Order
from avion_core.descriptions.writers.plan import Plan, plan
from avion_core.descriptions.writers.prompt import (
    CONTRAST_PROMPT,
    DEFAULT_PROMPT,
    Prompt,
    compose,
    find_prompt,
)
from avion_core.descriptions.writers.settings import KEYS, WriterName, WritingSettings
from avion_core.errors import AvionError, ConfigError, NotFoundError
from avion_core.jobs import worker, writing_orders
from avion_core.jobs.reconcile import is_waiting, reconcile
from avion_core.jobs.submit import submit
from avion_core.progress import Progress
from avion_core.reading.addresses import carries_secrets
from avion_core.store import generations as generation_rows
from avion_core.store import jobs as job_rows
from avion_core.store import journal
from avion_core.store.classes import alias_keys
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import find_project
from avion_core.store.sources import image_source
from avion_core.store.tables import Generation, Job
from avion_core.usecases import jobs
from avion_core.usecases.curation.rules import run_config
from avion_core.usecases.folders import nameable
from avion_core.usecases.policies import ADMINISTER, CHANGE_PROJECTS, demand, use_case
from avion_core.usecases.projects.summaries import ProjectSummary, get_project, read_splits
from avion_core.usecases.projects.without_pictures import refuse_new_texts
from avion_core.wording import counted

__all__ = ["CONTRAST_PROMPT", "DEFAULT_PROMPT", "KEYS", "WriterName", "WritingSettings"]  # pages take them from here


@dataclass(frozen=True)
class WritingPlan:
    """An estimate, and what goes into it."""

    estimate: Plan
    note: str
    """Why no confusable classes are named, where they were asked for, and which classes have names without words."""


def make_writing_settings(values: dict[str, Any]) -> WritingSettings:
    """Check what a person chose.

    Raises:
        ConfigError: the first thing that cannot be used, with its value and the way out.
    """
    try:
        settings = WritingSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        hint = f"{first['msg'].removesuffix('.')}."
        raise ConfigError(f"the setting {key} cannot be used", hint, value=first["input"]) from None
    # Not a rule of the settings themselves: orders of earlier versions hold such addresses, and are still listed.
    if carries_secrets(settings.base_url):
        keys = ", ".join(name for names in KEYS.values() for name in names)
        hint = (
            "It holds a user, a password or a query, and settings are saved and shared. "
            f"Give the address alone, and the key in the environment ({keys})."
        )
        raise ConfigError("the setting base_url cannot be used", hint)
    return settings


def keys_present() -> dict[str, bool]:
    """Writer -> whether its key is in the environment (which one it is stays there)."""
    return {writer: bool(writing_orders.key_of(writer)) for writer in KEYS}


@use_case
def preview(home: Home, project: str, settings: WritingSettings, class_key: str) -> Prompt:
    """What would be sent for a class, word for word (pictures aside)."""
    summary = get_project(home, project)
    settings = settings.model_copy(update={"classes": (class_key,), "pictures": 0})
    entries, _ = _entries(home, summary, settings)
    with suppress(AvionError):  # without a key it is read all the same
        settings = _resolved(home, summary, settings)
    with reading(home.engine) as session:
        known, _ = generation_rows.texts_of(session, summary.id, class_key, settings.writer, settings.model)
    order = writing_orders.make_order(next(entries), settings.per_class, known)
    return compose(
        find_prompt(settings.prompt, home.prompts),
        order.card,
        settings.imaging,
        min(order.wanted, MOST_AT_ONCE),
        language=settings.language,
        distinguish_from=order.distinguish_from,
        already_written=order.known,
    )


@use_case
def plan_writing(home: Home, project: str, settings: WritingSettings, progress: Progress | None = None) -> WritingPlan:
    """What it will take, from the project's own earlier replies of this writer and model where there are any."""
    summary = get_project(home, project)
    settings = _resolved(home, summary, settings)
    entries, note = _entries(home, summary, settings, progress)
    with reading(home.engine) as session:
        there = generation_rows.written_by(
            session, summary.id, settings.writer, settings.model, settings.distinguish_from
        )
        spent = [
            row
            for row in generation_rows.spent(session, summary.id)
            if (row["writer"], row["model"]) == (settings.writer, settings.model) and row["descriptions"]
        ]

    def orders() -> Iterator[Order]:
        for entry in entries:
            wanted = settings.per_class - there[entry["card"]["class_key"]]
            if wanted > 0:
                with reading(home.engine) as session:
                    key = entry["card"]["class_key"]
                    known, _ = generation_rows.texts_of(session, summary.id, key, settings.writer, settings.model)
                # Pictures weigh by their number alone, so they need not be rendered for an estimate.
                bare = writing_orders.make_order({**entry, "pictures": []}, wanted, known)
                yield replace(bare, pictures=(b"",) * len(entry["pictures"]))

    measured: dict[str, float] = {}
    if spent:
        got = sum(row["descriptions"] for row in spent)
        replies = sum(row["replies"] for row in spent)
        measured["tokens_per_description"] = sum(row["tokens_out"] for row in spent) / got
        measured["seconds_per_reply"] = sum(row["seconds"] for row in spent) / replies
    estimate = plan(
        orders(),
        find_prompt(settings.prompt, home.prompts),
        settings.imaging,
        concurrency=settings.concurrency,
        requests_per_minute=settings.requests_per_minute,
        price=settings.price,
        **measured,
    )
    names = _names(summary)
    wordless = [names[key] for key in settings.classes or names if is_wordless(names[key])]
    notes = [note, said_of_wordless(wordless) if wordless else ""]
    return WritingPlan(estimate, " ".join(filter(None, notes)))


@use_case
def order_descriptions(home: Home, project: str, settings: WritingSettings) -> str:
    """Write an order down, queued for a process; returns its id.

    Everything that can be wrong beforehand is: a missing key, an unknown prompt or class, a file that cannot be read.

    Raises:
        WriterError, DescriptionError, NotFoundError, ConfigError: what cannot be used. RightsError: an address of one's
            own from who does not administer the studio, or a file that is not theirs to name.
    """
    who = home.actor.name
    _refuse_reach(home, settings)
    summary = get_project(home, project)
    refuse_new_texts(summary)
    settings = _resolved(home, summary, settings)
    prompt = find_prompt(settings.prompt, home.prompts)
    entries, _ = _entries(home, summary, settings)
    row = Generation(
        job=Job(kind="writing", project_id=summary.id, who=who, lane="network"),
        project_id=summary.id,
        settings=settings.model_dump(mode="json"),
        prompt_version=prompt.version,
        prompt=prompt.text,
    )
    with writing(home.engine) as session:
        session.add(row)
        session.flush()
        # Inside the transaction: an order that is in the database has its file.
        row.classes = writing_orders.write_orders(writing_orders.generation_folder(home, row.id), entries)
        apart = ", ".join(_names(summary)[key] for key in settings.distinguish_from)
        journal.note(
            session,
            summary.id,
            "descriptions",
            f"Started: {counted(settings.per_class, 'description')} for each of "
            f"{counted(row.classes, 'class', 'classes')} from {settings.model}"
            f"{f' that distinguish them from {apart}' if apart else ''}.",
            who,
        )
    return row.id


@use_case
def start(home: Home, generation: str) -> None:
    """Have a queued generation written by a process of its own."""
    submit(home, generation)


@use_case
def write_here(
    home: Home, generation: str, stop: threading.Event, listener: Callable[[Event], None] | None = None
) -> str:
    """Have a queued generation written in this process; returns "finished" or "stopped"."""
    return worker.work(home, generation, stop, None if listener is None else _Hearing(listener))


class _Hearing:
    """Somebody who wants to hear of replies and classes; how many there are, they count themselves."""

    def __init__(self, listener: Callable[[Event], None]) -> None:
        self._listener = listener

    def event(self, event: Event) -> None:
        self._listener(event)

    def progress(self, done: int, total: int, what: str) -> None:
        pass


@use_case
def resume(home: Home, project: str, wanted: str = "latest") -> str:
    """Queue a generation again that was stopped, failed or lost; what it has is kept. Returns its id.

    "latest" is the newest that can be resumed, also one whose process is gone without a word. Its orders, a file, do
    not come along in a backup or a pack, and name pictures where they were: where they do not hold any more, they are
    written down anew from the classes as they are now.

    Raises:
        NotFoundError: no such generation. ConfigError: it is at work or finished. RightsError: as `order_descriptions`.
    """
    reconcile(home)
    with reading(home.engine) as session:
        project_id = find_project(session, project).id
        cut_off = filter(_is_cut_off, generation_rows.list_generations(session, project_id))
        latest = next(cut_off, None) if wanted == "latest" else None
        row = latest or generation_rows.find_generation(session, project_id, wanted)
    if _is_cut_off(row) and row.job.state == "queued":
        return row.id
    settings = WritingSettings.model_validate(row.settings)
    _refuse_reach(home, settings)  # it may have come in a pack
    folder, entries = writing_orders.generation_folder(home, row.id), None
    if row.job.state in job_rows.RESUMABLE and not writing_orders.orders_hold(folder):
        entries, _ = _entries(home, get_project(home, row.project_id), settings)

    def order_again(session: Session) -> None:
        if entries is not None:
            session.get_one(Generation, row.id).classes = writing_orders.write_orders(folder, entries)

    if not jobs.queue_again(home, row.id, also=order_again):
        hint = "Wait for it, or start a new one: existing descriptions count."
        raise ConfigError("this generation cannot be resumed", hint, value=row.job.state)
    return row.id


@use_case
def ask_to_stop(home: Home, generation: str) -> bool:
    """Ask a generation to stop once what is on its way has come; False when it had ended already."""
    with writing(home.engine) as session:
        return job_rows.ask_to_stop(session, generation)


def _is_cut_off(row: Generation) -> bool:
    """Whether it can be resumed: also one whose order was written down, and then no process was started."""
    return row.job.state in job_rows.RESUMABLE or is_waiting(row.job)


def _refuse_reach(home: Home, settings: WritingSettings) -> None:
    """A writer has the studio's keys and the server's eyes: whoever starts it is asked how far it may reach."""
    if settings.base_url:
        demand(home.actor, ADMINISTER)
    if settings.file:
        nameable(home.actor, Path(settings.file))


def _resolved(home: Home, summary: ProjectSummary, settings: WritingSettings) -> WritingSettings:
    """The settings with the model that will really be asked; a writer that cannot be opened is an error here.

    Also to look at a plan or a prompt, the file of the writer `file` is read: it lies on this machine.
    """
    if settings.file:
        demand(home.actor, CHANGE_PROJECTS)
        nameable(home.actor, Path(settings.file))
    names = _names(summary)
    unknown = [key for key in (*settings.classes, *settings.distinguish_from) if key not in names]
    if unknown:
        raise NotFoundError("the project has no such class", f"Its classes: {', '.join(names)}.", value=unknown[0])
    with reading(home.engine) as session:
        aliases = alias_keys(session, summary.id)
    return settings.model_copy(update={"model": writing_orders.open_writer(settings, names, aliases).model})


def _entries(
    home: Home, summary: ProjectSummary, settings: WritingSettings, progress: Progress | None = None
) -> tuple[Iterator[dict[str, Any]], str]:
    """What is known of each class asked about, one at a time; and why no confusable classes are named, if so."""
    confusable: dict[str, tuple[str, ...]] = {}
    note = ""
    if settings.distinguish_from:
        names = _names(summary)
        confusable = {key: tuple(names[other] for other in settings.distinguish_from if other != key) for key in names}
    elif settings.distinguish:
        from avion_core.usecases.writing.confusable_classes import confusable_classes  # brings torch along

        try:
            confusable = confusable_classes(home, summary.id, settings.distinguish, progress)
        except AvionError as error:
            note = f"No confusable classes are named: {error}"
    shots: dict[str, list[str]] = {}
    if settings.pictures:
        seed = run_config(home, summary.id).data.seed
        shots = read_splits(home, summary.id).pictures(seed, settings.pictures)
    source = image_source(home, summary.id)
    recipe = summary.recipe.model_dump(mode="json")

    def entries() -> Iterator[dict[str, Any]]:
        for entry in summary.classes:
            if settings.classes and entry.key not in settings.classes:
                continue
            card = {
                "class_key": entry.key,
                "name": entry.prompt_name,
                "local_name": entry.local_name,
                "definition": entry.definition,
                "includes": entry.includes,
                "excludes": entry.excludes,
                "parent": entry.parent,
            }
            pictures = [str(source.file(image)) for image in shots.get(entry.key, ())]
            yield {
                "card": card,
                "distinguish_from": confusable.get(entry.key, ()),
                "pictures": pictures,
                "recipe": recipe,
            }

    return entries(), note


def _names(summary: ProjectSummary) -> dict[str, str]:
    return {entry.key: entry.prompt_name for entry in summary.classes}

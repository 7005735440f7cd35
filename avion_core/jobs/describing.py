"""The process that has descriptions written: takes a queued generation, saves every reply as it comes, and ends it.

    python -m avion_core.jobs.describing --home FOLDER --generation ID

What each class is (its card, its confusable classes, its pictures) was written down when it was ordered, in a file
that is read class by class. What is still wanted is asked of the store: a generation that was stopped or killed goes on
where its last reply was saved.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from avion_core.data.images import open_image
from avion_core.data.recipe import RenderingRecipe
from avion_core.descriptions.writers.file import FileWriter
from avion_core.descriptions.writers.generate import ClassDone, Event, Order, Replied, generate
from avion_core.descriptions.writers.patience import Patience
from avion_core.descriptions.writers.plan import Price
from avion_core.descriptions.writers.prompt import ClassCard, PromptFile
from avion_core.descriptions.writers.settings import KEYS, WritingSettings
from avion_core.descriptions.writers.writer import Writer, WriterError
from avion_core.errors import DescriptionError, NotFoundError
from avion_core.files import replacing
from avion_core.jobs.causes import explain
from avion_core.jobs.heartbeat import Heartbeat
from avion_core.jobs.local import start_worker
from avion_core.jobs.process import this_process
from avion_core.jobs.stopping import stop_on_signals
from avion_core.store import generations as rows
from avion_core.store import leases
from avion_core.store.database import reading, writing
from avion_core.store.home import Home
from avion_core.store.projects import prompt_names
from avion_core.store.tables import Generation, Reply, now

WORKER: Sequence[str] = (sys.executable, "-m", "avion_core.jobs.describing")
PICTURE_SIDE = 512
_JPEG_QUALITY = 88

Listener = Callable[[Event], None]


def generation_folder(home: Home, generation_id: str) -> Path:
    """Where a generation keeps its orders and its log."""
    return home.path / "generations" / generation_id


def write_orders(folder: Path, entries: Iterator[dict[str, Any]]) -> int:
    """Write down what each class is, one JSON line each: card, distinguish_from, pictures (paths) and their recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with replacing(folder / "orders.jsonl") as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for entry in entries:
            print(json.dumps(entry, ensure_ascii=False), file=file)
            count += 1
    return count


def orders_hold(folder: Path) -> bool:
    """Whether the orders are here, and every picture is where they say."""
    if not (folder / "orders.jsonl").is_file():
        return False
    return all(Path(picture).is_file() for entry in read_orders(folder) for picture in entry["pictures"])


def read_orders(folder: Path) -> Iterator[dict[str, Any]]:
    """What `write_orders` wrote, a class at a time.

    Raises:
        WriterError: it is not here.
    """
    if not (folder / "orders.jsonl").is_file():
        hint = "Resume it: they are written down anew, and what was written already counts."
        raise WriterError("the orders of this generation are not on this machine", hint, value=folder.name)
    with (folder / "orders.jsonl").open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def make_order(entry: dict[str, Any], wanted: int, known: tuple[str, ...] = (), others: tuple[str, ...] = ()) -> Order:
    """One class's order, its pictures rendered and made small."""
    pictures = tuple(_jpeg(Path(path), RenderingRecipe(**entry["recipe"])) for path in entry["pictures"])
    return Order(ClassCard(**entry["card"]), wanted, known, others, tuple(entry["distinguish_from"]), pictures)


def key_of(writer: str) -> str:
    """A writer's key in the environment, without the white space and line ends of a paste; "" where none is set."""
    return next(filter(None, (os.environ.get(name, "").strip() for name in KEYS[writer])), "")


def open_writer(settings: WritingSettings, class_names: dict[str, str]) -> Writer:
    """The writer that settings name, with its key from the environment.

    Raises:
        WriterError: no key or none that can be one, or no model where one must be named.
        DescriptionError: the file of a file writer cannot be read.
    """
    if settings.writer == "file":
        if not settings.file:
            raise DescriptionError("the writer file needs a file", "Name it with --file.", value=settings.file)
        return FileWriter(Path(settings.file).expanduser(), class_names)
    names, key = KEYS[settings.writer], key_of(settings.writer)
    timeout, base_url = settings.timeout_seconds, settings.base_url or None
    if not (key.isascii() and key.isprintable()):
        # The clients would fail over it as over a lost connection, time and again.
        hint = "Copy the key again: it has letters, digits and signs alone."
        raise WriterError("what is set for a key cannot be one", hint, value=" or ".join(names))
    if settings.writer == "gemini":
        from avion_core.descriptions.writers.gemini import DEFAULT_MODEL, GeminiWriter

        if not key:
            raise WriterError("there is no key for Gemini", f"Set {names[0]} in the environment.", value=names[0])
        return GeminiWriter(SecretStr(key), settings.model or DEFAULT_MODEL, timeout=timeout, base_url=base_url)
    from avion_core.descriptions.writers.openai_compatible import OpenAICompatibleWriter

    if not key and not base_url:
        hint = f"Set {names[0]} in the environment, or give the address of a server of yours with --base-url."
        raise WriterError("there is no key for this writer", hint, value=names[0])
    if not settings.model:
        raise WriterError("an OpenAI-compatible writer needs a model", "Name one with --model.", value="")
    return OpenAICompatibleWriter(SecretStr(key), settings.model, timeout=timeout, base_url=base_url)


def start(home: Home, generation_id: str) -> None:
    """Start a queued generation in a session of its own, so that it outlives the browser and this server."""
    folder = generation_folder(home, generation_id)
    command = [*WORKER, "--home", str(home.path), "--generation", generation_id]
    start_worker(home, Generation, generation_id, command, folder)


def describe(home: Home, generation_id: str, stop: threading.Event, listener: Listener | None = None) -> str:
    """Have a queued generation written in this process, to its end or to the next stop.

    Args:
        stop: ask for a stop by setting it; it is also set when the generation's row asks.
        listener: told every reply and every class that is done, after they are saved.

    Returns:
        "finished" or "stopped".

    Raises:
        WriterError: another process has it, or it is not queued; or nobody need ask the writer any more.
    """
    with writing(home.engine) as session:
        lease = leases.take(session, Generation, generation_id, **asdict(this_process()))
    if lease is None:
        hint = "Wait for the process that has it; if that was cut off, go on with `avion describe PROJECT --resume`."
        raise WriterError("the generation is not waiting for a process", hint, value=generation_id)
    state, last, failure = "failed", {}, None
    try:
        with Heartbeat(home.engine, generation_id, lease, stop, Generation) as heartbeat:
            state = _write(home, generation_id, stop, heartbeat, listener)
    except BaseException as error:
        failure = error
        last["cause"], last["error"] = explain(error)
    with writing(home.engine) as session:
        leases.end(session, Generation, generation_id, lease, state, **last)
    if failure is not None:
        raise failure
    return state


def main() -> int:
    """Entry of the detached process; its output goes to the generation's log."""
    parser = argparse.ArgumentParser(prog="python -m avion_core.jobs.describing")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--generation", required=True)
    arguments = parser.parse_args()

    def log(event: Event) -> None:
        # Counts and classes alone: texts belong to the store, and keys nowhere.
        match event:
            case Replied(class_key=key, descriptions=descriptions, asked=asked, problem=problem):
                print(
                    f"{now():%Y-%m-%d %H:%M:%S} {key}: {len(descriptions)} of {asked}. {problem}".rstrip(), flush=True
                )
            case ClassDone(class_key=key, written=written, wanted=wanted):
                print(f"{now():%Y-%m-%d %H:%M:%S} {key}: done, {written} of {wanted}", flush=True)

    with stop_on_signals() as stop:
        try:
            describe(Home(arguments.home), arguments.generation, stop, log)
        except Exception as error:
            print(explain(error)[1], file=sys.stderr)
            return 1
    return 0


def _write(
    home: Home, generation_id: str, stop: threading.Event, heartbeat: Heartbeat, listener: Listener | None
) -> str:
    with reading(home.engine) as session:
        row = session.get(Generation, generation_id)
        assert row is not None
        class_names = prompt_names(session, row.project_id)
    settings = WritingSettings.model_validate(row.settings)
    writer = open_writer(settings, class_names)
    price = settings.price
    done = row.classes - sum(1 for _ in _wanted(home, row, settings))
    heartbeat.note(classes_done=done)
    events = generate(
        _orders(home, row, settings),
        writer,
        PromptFile(row.prompt_version.rsplit("@", 1)[0], row.prompt),
        settings.imaging,
        Patience(settings.requests_per_minute, stop=stop),
        language=settings.language,
        concurrency=settings.concurrency,
    )
    failure: Exception | None = None
    for event in events:
        try:
            match event:
                case Replied():
                    _save(home, row, event, price)
                case ClassDone():
                    done += 1
                    heartbeat.note(classes_done=done)
            if listener is not None:
                listener(event)
        except Exception as error:
            # Replies that are there or on their way are paid for: they are saved before this one's trouble is told.
            failure = failure or error
            stop.set()
    if failure is not None:
        raise failure
    return "stopped" if stop.is_set() and done < row.classes else "finished"


def _wanted(home: Home, row: Generation, settings: WritingSettings) -> Iterator[tuple[dict[str, Any], int]]:
    """The classes that lack descriptions of this writer and model, and how many."""
    with reading(home.engine) as session:
        there = rows.written_by(
            session, row.project_id, settings.writer, row.settings["model"], settings.distinguish_from
        )
    for entry in read_orders(generation_folder(home, row.id)):
        wanted = settings.per_class - there[entry["card"]["class_key"]]
        if wanted > 0:
            yield entry, wanted


def _orders(home: Home, row: Generation, settings: WritingSettings) -> Iterator[Order]:
    for entry, wanted in _wanted(home, row, settings):
        with reading(home.engine) as session:
            known, others = rows.texts_of(
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
        rows.save_reply(session, reply, descriptions)


def _jpeg(path: Path, recipe: RenderingRecipe) -> bytes:
    if not path.is_file():
        raise NotFoundError(
            "a training image is not there", "Relink the project's images, then resume.", value=str(path)
        )
    image = open_image(path, recipe)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_JPEG_QUALITY)
    return content.getvalue()


if __name__ == "__main__":
    sys.exit(main())

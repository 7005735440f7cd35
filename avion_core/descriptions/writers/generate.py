"""Class by class through a writer: ask, read, ask again for what lacks, and hand each reply over as it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Full, Queue

from avion_core.descriptions.schema import DescriptionRecord, description_id
from avion_core.descriptions.writers.patience import Patience, Waiting, WritingStopped
from avion_core.descriptions.writers.prompt import ClassCard, Imaging, Prompt, PromptFile, compose
from avion_core.descriptions.writers.reply import Reading, read_reply
from avion_core.descriptions.writers.writer import Busy, RawReply, Unusable, Writer

MOST_AT_ONCE = 50
"""Descriptions asked for in one request: longer replies break off more often."""
BARREN_REPLIES = 5
"""Replies in a row without a single new text after which a class is given up.

Where every tenth reply is broken, three in a row befall one class in a thousand, so a large order is never without;
five befall one in a hundred thousand.
"""


@dataclass(frozen=True)
class Order:
    """What one class still needs: `wanted` new descriptions beside the `known` texts of this writer and model."""

    card: ClassCard
    wanted: int
    known: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Texts of other writers. They are not shown to this one, lest it matters who was asked first; but a project holds
    each text of a class once, so one that comes again stays theirs."""
    distinguish_from: tuple[str, ...] = ()
    pictures: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Replied:
    """One request and what came of it: `answer` is None where none came, and `problem` says why, or what it lacks."""

    class_key: str
    prompt: Prompt
    asked: int
    answer: RawReply | None
    descriptions: list[DescriptionRecord]
    dropped: dict[str, int]
    problem: str
    cleaned: int = 0
    """Descriptions that list marks, emphasis, HTML or introductions were taken off."""


@dataclass(frozen=True)
class ClassDone:
    """Nothing more is asked about a class; `problem` is empty where it has all it wanted."""

    class_key: str
    wanted: int
    written: int
    problem: str


Event = Replied | ClassDone | Waiting


def generate(
    orders: Iterable[Order],
    writer: Writer,
    prompt: PromptFile,
    imaging: Imaging,
    patience: Patience,
    *,
    language: str = "English",
    concurrency: int = 4,
) -> Iterator[Event]:
    """Have descriptions written for many classes, several at a time.

    Orders are taken one by one as there is room, so ten thousand of them need no more memory than a few. Setting
    `patience.stop` lets requests that are on their way end, and yields what they bring; an error sets it too.

    Yields:
        Replied for each request, as soon as its reply is there: save it at once. ClassDone for each class that was
        gone through; none for a class that a stop cut short. Waiting before a request is made again.

    Raises:
        WriterError: nobody need be asked any more (a wrong key, an unknown model, a quota that is used up, a service
            that is out); raised after what was on its way.
    """
    line = _Line(orders)
    events: Queue[Event | BaseException | None] = Queue(maxsize=2 * concurrency)
    abandoned = threading.Event()

    def hand_over(event: Event | BaseException | None) -> None:
        while not abandoned.is_set():
            with suppress(Full):
                events.put(event, timeout=0.5)
                return

    def work() -> None:
        try:
            while not patience.stop.is_set() and (order := line.next()) is not None:
                for event in _write_class(order, writer, prompt, imaging, patience, language, hand_over):
                    hand_over(event)
        except WritingStopped:
            pass
        except BaseException as error:
            patience.stop.set()
            hand_over(error)
        finally:
            hand_over(None)

    threads = [threading.Thread(target=work, name=f"writer-{number}", daemon=True) for number in range(concurrency)]
    for thread in threads:
        thread.start()
    failure: BaseException | None = None
    working = concurrency
    try:
        while working:
            match events.get():
                case None:
                    working -= 1
                case BaseException() as error:
                    failure = failure or error
                case event:
                    yield event
    finally:
        line.close()
        abandoned.set()
    if failure is not None:
        raise failure
    if not patience.stop.is_set():
        patience.check_heard()


def _write_class(
    order: Order,
    writer: Writer,
    prompt: PromptFile,
    imaging: Imaging,
    patience: Patience,
    language: str,
    tell: Callable[[Waiting], None],
) -> Iterator[Event]:
    known = list(order.known)
    # Texts that were written with pictures of the class at hand say so for good.
    version = f"{prompt.version}+{len(order.pictures)}pictures" if order.pictures else prompt.version
    key, written, barren, problem = order.card.class_key, 0, 0, ""
    while written < order.wanted and barren < BARREN_REPLIES:
        asked = min(MOST_AT_ONCE, order.wanted - written)
        request = compose(
            prompt,
            order.card,
            imaging,
            asked,
            language=language,
            distinguish_from=order.distinguish_from,
            already_written=tuple(known),
            pictures=order.pictures,
        )
        try:
            answer = patience.ask(writer, request, tell)
        except (Busy, Unusable) as error:
            problem = str(error)
            yield Replied(key, request, asked, None, [], {}, problem)
            break
        reading = read_reply(
            answer.text, asked, known, language, (order.card.name, order.card.local_name), order.others
        )
        problem = _problem(answer, reading)
        descriptions = [
            DescriptionRecord(
                description_id(key, found.text),
                key,
                writer=writer.name,
                model=writer.model,
                prompt_version=version,
                **found.model_dump(),
            )
            for found in reading.descriptions
        ]
        yield Replied(key, request, asked, answer, descriptions, dict(reading.dropped), problem, reading.cleaned)
        known += [*(description.text for description in descriptions), *reading.shared]
        written += len(descriptions)
        barren = 0 if descriptions or reading.shared else barren + 1
    lacking = f"{written} of {order.wanted} written" + (f": {problem}" if problem else "")
    yield ClassDone(key, order.wanted, written, "" if written >= order.wanted else lacking)


def _problem(answer: RawReply, reading: Reading) -> str:
    if answer.refused:
        return f"the writer refused ({answer.refused})"
    if answer.cut_off:
        return "the reply was cut off at the model's output limit"
    if answer.place and reading.problem:
        return f"what came stands in {answer.place}, not in the answer: {reading.problem}"
    return reading.problem


class _Line:
    """Orders, handed out one at a time to whichever thread comes."""

    def __init__(self, orders: Iterable[Order]) -> None:
        self._orders, self._lock, self._closed = iter(orders), threading.Lock(), False

    def next(self) -> Order | None:
        with self._lock:
            return None if self._closed else next(self._orders, None)

    def close(self) -> None:
        with self._lock:
            self._closed = True
